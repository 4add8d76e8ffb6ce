import { useQuery } from '@tanstack/react-query';

import { busiest } from '../../api/queries.ts';
import type { Operation } from '../../api/types.ts';
import { Errors } from '../../design/errors.tsx';
import { ServiceName } from '../../design/service.tsx';
import { useSearchWindow, useWindow } from '../../design/window-choice.tsx';
import { duration } from '../../format/duration.ts';
import { rate } from '../../format/number.ts';
import { href } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';

/** Operations that a list names. */
const LISTED = 8;

interface Props {
  order: 'errors' | 'p95';
  title: string;
  colours: ReadonlyMap<string, string>;
}

/** What fails most, or takes longest, among requests that are answered. Each leads to its traces, the longest first. */
export function OperationList({ order, title, colours }: Props) {
  const window = useWindow();
  const { data } = useQuery(busiest(order, window));
  const answered = data?.operations.filter(
    ({ kind, stats }) => (kind === 'server' || kind === 'consumer') && (order === 'p95' || stats.errors > 0),
  );
  return (
    <section className="panel" aria-labelledby={order}>
      <h2 id={order}>{title}</h2>
      {answered?.length === 0 && (
        <p className="muted">{order === 'errors' ? 'Nothing fails.' : 'Nothing was answered.'}</p>
      )}
      <table className="operations">
        <tbody>
          {answered?.slice(0, LISTED).map((operation) => (
            <OperationRow
              key={`${operation.service} ${operation.kind} ${operation.name}`}
              operation={operation}
              failing={order === 'errors'}
              hue={colours.get(operation.service)}
            />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps {
  operation: Operation;
  failing: boolean;
  hue: string | undefined;
}

function OperationRow({ operation: { service, name, stats }, failing, hue }: RowProps) {
  const within = useSearchWindow();
  const found = href('/search', {
    service,
    operation: name,
    status: failing ? 'error' : null,
    order: 'duration',
    ...within,
  });
  return (
    <tr>
      <td className="operation-name">
        <Link href={found}>
          <ServiceName name={service} hue={hue} /> {name}
        </Link>
      </td>
      <td className="number">{rate(stats.rate)}</td>
      <td className="number">
        {failing ? (
          <Errors ratio={stats.errorRatio} />
        ) : (
          <span title="95th percentile">{stats.p95 === null ? '–' : duration(stats.p95)}</span>
        )}
      </td>
    </tr>
  );
}
