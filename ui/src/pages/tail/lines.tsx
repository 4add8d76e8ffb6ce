import { memo } from 'react';

import { Badge } from '../../design/badge.tsx';
import { ServiceName } from '../../design/service.tsx';
import { duration } from '../../format/duration.ts';
import { exact, timeOfDay } from '../../format/time.ts';
import { traceHref } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import type { Line } from './received.ts';

interface Props {
  lines: readonly Line[];
  colours: ReadonlyMap<string, string>;
}

/** A line for each span, the latest first. */
export function Lines({ lines, colours }: Props) {
  return (
    <section className="panel wide" tabIndex={0} aria-label="Spans">
      <table className="tail-lines">
        <thead>
          <tr>
            <th scope="col">Began</th>
            <th scope="col" className="number">
              Took
            </th>
            <th scope="col">Service</th>
            <th scope="col">Operation</th>
            <th scope="col">Kind</th>
            <th scope="col">Failed</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <TailLine key={line.number} line={line} hue={colours.get(line.span.service)} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Lines do not change: those that are there already are not drawn again for each that comes. */
const TailLine = memo(function TailLine({ line, hue }: { line: Line; hue: string | undefined }) {
  const { traceId, spanId, service, operation, kind, status, message, ...span } = line.span;
  const start = Number(span.start);
  return (
    <tr>
      <td className="nowrap" title={exact(start)}>
        {timeOfDay(start)}
      </td>
      <td className="number">{duration(span.duration)}</td>
      <td className="nowrap">
        <ServiceName name={service} hue={hue} />
      </td>
      <td>
        <Link href={traceHref(traceId, { span: spanId })}>{operation || traceId.slice(0, 8)}</Link>
      </td>
      <td>{kind}</td>
      <td>{status === 'error' && <Badge tone="failed">✕ {message || 'failed'}</Badge>}</td>
    </tr>
  );
});
