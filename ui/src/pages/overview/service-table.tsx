import type { Service } from '../../api/types.ts';
import { Errors } from '../../design/errors.tsx';
import { Exemplars } from '../../design/exemplars.tsx';
import { ServiceName } from '../../design/service.tsx';
import { Sparkline } from '../../design/sparkline.tsx';
import { type Column, Table } from '../../design/table.tsx';
import { useSearchWindow } from '../../design/window-choice.tsx';
import { duration } from '../../format/duration.ts';
import { count, percent, rate } from '../../format/number.ts';
import { href } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';

interface Props {
  services: readonly Service[];
  colours: ReadonlyMap<string, string>;
}

/** Every service with its rate, errors and latency; those with the largest share of errors first. */
export function ServiceTable({ services, colours }: Props) {
  const within = useSearchWindow();
  const worstFirst = services.toSorted(
    (a, b) => b.stats.errorRatio - a.stats.errorRatio || b.stats.calls - a.stats.calls,
  );
  const columns: Column<Service>[] = [
    {
      head: 'Service',
      cell: ({ name }) => (
        <Link href={href('/search', { service: name, ...within })}>
          <ServiceName name={name} hue={colours.get(name)} />
        </Link>
      ),
    },
    {
      head: 'Rate',
      numeric: true,
      hint: ({ previous }) => before(previous?.rate, rate),
      cell: ({ stats }) => rate(stats.rate),
    },
    {
      head: 'Rate over time',
      drawn: true,
      cell: ({ name, points }) => <Sparkline values={points.calls} label={`Calls of ${name} over time`} />,
    },
    {
      head: 'Errors',
      numeric: true,
      hint: ({ previous }) => before(previous?.errorRatio, percent),
      cell: ({ name, stats: { errors, calls, errorRatio } }) =>
        errors === 0 ? (
          <Errors ratio={0} />
        ) : (
          <Link
            href={href('/search', { service: name, status: 'error', order: 'duration', ...within })}
            title={`${count(errors)} of ${count(calls)}`}
          >
            <Errors ratio={errorRatio} />
          </Link>
        ),
    },
    {
      head: 'Errors over time',
      drawn: true,
      cell: ({ name, stats, points }) =>
        stats.errors > 0 && (
          <Sparkline
            values={points.errors}
            top={Math.max(1, ...points.calls)}
            label={`Errors of ${name} over time`}
            colour="var(--failed)"
          />
        ),
    },
    { head: 'p50', numeric: true, cell: ({ stats }) => time(stats.p50) },
    {
      head: 'p95',
      numeric: true,
      hint: ({ previous }) => before(previous?.p95, duration),
      cell: ({ stats }) => time(stats.p95),
    },
    { head: 'p99', numeric: true, cell: ({ stats }) => time(stats.p99) },
    {
      head: '95th percentile over time',
      drawn: true,
      cell: ({ name, points }) => (
        <Sparkline values={points.p95} label={`95th percentile of ${name} over time`} colour="var(--hue-3)" />
      ),
    },
    { head: 'Look at', className: 'nowrap looks', cell: ({ stats }) => <Exemplars of={stats.exemplars} /> },
  ];
  return (
    <section className="panel wide" tabIndex={0} aria-labelledby="services">
      <h2 id="services">Services</h2>
      <Table className="services" columns={columns} lines={worstFirst} id={({ name }) => name} />
    </section>
  );
}

const time = (nanos: number | null) => (nanos === null ? <span className="muted">–</span> : duration(nanos));

/** What a value was in the window before this one. */
const before = (value: number | null | undefined, words: (value: number) => string) =>
  value == null ? undefined : `${words(value)} before`;
