import type { Service } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { ServiceName } from '../../design/service.tsx';
import { Sparkline } from '../../design/sparkline.tsx';
import { duration } from '../../format/duration.ts';
import { count, percent, rate } from '../../format/number.ts';
import { href, traceHref } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { useWindow } from '../../design/window-choice.tsx';

interface Props {
  services: readonly Service[];
  colours: ReadonlyMap<string, string>;
}

/** Every service with its rate, errors and latency; those with the largest share of errors first. */
export function ServiceTable({ services, colours }: Props) {
  const worstFirst = services.toSorted(
    (a, b) => b.stats.errorRatio - a.stats.errorRatio || b.stats.calls - a.stats.calls,
  );
  return (
    <section className="panel wide" tabIndex={0} aria-labelledby="services">
      <h2 id="services">Services</h2>
      <table className="services">
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col" className="number">
              Rate
            </th>
            <th scope="col">
              <span className="hidden-visually">Rate over time</span>
            </th>
            <th scope="col" className="number">
              Errors
            </th>
            <th scope="col">
              <span className="hidden-visually">Errors over time</span>
            </th>
            <th scope="col" className="number">
              p50
            </th>
            <th scope="col" className="number">
              p95
            </th>
            <th scope="col" className="number">
              p99
            </th>
            <th scope="col">
              <span className="hidden-visually">95th percentile over time</span>
            </th>
            <th scope="col">Look at</th>
          </tr>
        </thead>
        <tbody>
          {worstFirst.map((service) => (
            <ServiceRow key={service.name} service={service} hue={colours.get(service.name)} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ServiceRow({
  service: { name, stats, previous, points },
  hue,
}: {
  service: Service;
  hue: string | undefined;
}) {
  const { window, end } = useWindow();
  const within = end === null ? { lookback: window } : { end };
  const { slowest, error } = stats.exemplars;
  const time = (nanos: number | null) =>
    nanos === null ? <span className="muted">–</span> : duration(nanos);
  return (
    <tr>
      <td>
        <Link href={href('/search', { service: name, ...within })}>
          <ServiceName name={name} hue={hue} />
        </Link>
      </td>
      <td className="number" title={previous ? `${rate(previous.rate)} before` : undefined}>
        {rate(stats.rate)}
      </td>
      <td>
        <Sparkline values={points.calls} label={`Calls of ${name} over time`} />
      </td>
      <td className="number" title={previous ? `${percent(previous.errorRatio)} before` : undefined}>
        {stats.errors === 0 ? (
          <span className="muted">0 %</span>
        ) : (
          <Link
            href={href('/search', { service: name, status: 'error', order: 'duration', ...within })}
            title={`${count(stats.errors)} of ${count(stats.calls)}`}
          >
            <Badge tone="failed">✕ {percent(stats.errorRatio)}</Badge>
          </Link>
        )}
      </td>
      <td>
        {stats.errors > 0 && (
          <Sparkline
            values={points.errors}
            top={Math.max(1, ...points.calls)}
            label={`Errors of ${name} over time`}
            colour="var(--failed)"
          />
        )}
      </td>
      <td className="number">{time(stats.p50)}</td>
      <td className="number" title={previous?.p95 ? `${duration(previous.p95)} before` : undefined}>
        {time(stats.p95)}
      </td>
      <td className="number">{time(stats.p99)}</td>
      <td>
        <Sparkline values={points.p95} label={`95th percentile of ${name} over time`} colour="var(--hue-3)" />
      </td>
      <td className="nowrap looks">
        {slowest && <Link href={traceHref(slowest)}>slowest</Link>}{' '}
        {error && <Link href={traceHref(error)}>an error</Link>}
      </td>
    </tr>
  );
}
