import type { ReactNode } from 'react';

import type { Comparison, Group } from '../../api/types.ts';
import { duration } from '../../format/duration.ts';
import { count } from '../../format/number.ts';
import { traceHref } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';

interface Props {
  comparison: Comparison;
  a: Group;
  b: Group;
}

/** Both sides as wholes. */
export function Totals({ comparison: { a, b }, ...groups }: Props) {
  const line = (name: string, of: (side: typeof a) => ReactNode) => (
    <tr>
      <th scope="row">{name}</th>
      <td className="number">{of(a)}</td>
      <td className="number">{of(b)}</td>
    </tr>
  );
  return (
    <section className="panel totals" aria-label="Both sides">
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col" className="number">
              A <Way group={groups.a} />
            </th>
            <th scope="col" className="number">
              B <Way group={groups.b} />
            </th>
          </tr>
        </thead>
        <tbody>
          {line('Traces', (side) => count(side.traces))}
          {line('Duration, median', (side) => duration(side.duration))}
          {line('Spans a trace', (side) => side.spansPerTrace.toFixed(1))}
          {line('Failed spans', (side) => (
            <span className={side.errors > 0 ? 'failed' : undefined}>{count(side.errors)}</span>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Way({ group: { traceIds } }: { group: Group }) {
  const only = traceIds?.length === 1 ? traceIds[0] : undefined;
  return only === undefined ? null : (
    <Link href={traceHref(only)}>
      <code>{only.slice(0, 8)}</code>
    </Link>
  );
}
