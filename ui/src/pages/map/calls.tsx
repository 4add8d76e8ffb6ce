import type { Graph } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { LinkShares } from '../../design/link-shares.tsx';
import { duration } from '../../format/duration.ts';
import { count, percent, rate } from '../../format/number.ts';
import { traceHref } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';

/** Every edge of the map in words, those that fail first. */
export function Calls({ graph }: { graph: Pick<Graph, 'nodes' | 'edges'> }) {
  const edges = graph.edges.toSorted(
    (a, b) => (b.stats?.errorRatio ?? 0) - (a.stats?.errorRatio ?? 0) || b.calls - a.calls,
  );
  const name = (id: string) => graph.nodes.find((node) => node.id === id)?.name ?? id;
  return (
    <section className="panel wide" tabIndex={0} aria-labelledby="calls">
      <h2 id="calls">Calls</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col" className="number">
              Calls
            </th>
            <th scope="col" className="number">
              Rate
            </th>
            <th scope="col" className="number">
              Errors
            </th>
            <th scope="col" className="number">
              p50
            </th>
            <th scope="col" className="number">
              p95
            </th>
            <th scope="col">Links</th>
            <th scope="col">Look at</th>
          </tr>
        </thead>
        <tbody>
          {edges.map(({ from, to, calls, stats, links }) => (
            <tr key={`${from} ${to}`}>
              <td>{name(from)}</td>
              <td>{name(to)}</td>
              <td className="number">{count(calls)}</td>
              <td className="number">{stats && rate(stats.rate)}</td>
              <td className="number">
                {stats && stats.errors > 0 ? (
                  <Badge tone="failed">✕ {percent(stats.errorRatio)}</Badge>
                ) : (
                  <span className="muted">{stats && '0 %'}</span>
                )}
              </td>
              <td className="number">{stats?.p50 != null && duration(stats.p50)}</td>
              <td className="number">{stats?.p95 != null && duration(stats.p95)}</td>
              <td>{links && <LinkShares links={links} />}</td>
              <td className="nowrap looks">
                {stats?.exemplars.slowest && <Link href={traceHref(stats.exemplars.slowest)}>slowest</Link>}{' '}
                {stats?.exemplars.error && <Link href={traceHref(stats.exemplars.error)}>an error</Link>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
