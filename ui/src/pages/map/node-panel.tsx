import type { Graph, Stats } from '../../api/types.ts';
import { useSearchWindow } from '../../design/window-choice.tsx';
import { duration } from '../../format/duration.ts';
import { count, percent, rate } from '../../format/number.ts';
import { href, traceHref } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import type { Node } from './layout.ts';

const typeWords: Record<Node['type'], string> = {
  service: 'sends spans',
  client: 'whoever calls from outside',
  silent: 'in the cluster, without a sidecar: nothing of what it does is seen',
  external: 'a host outside',
  encrypted: 'behind TLS: its requests cannot be seen',
  database: 'a database',
  queue: 'a queue',
  other: 'what there was too much of to count apart',
};

/** One node of the map, and the way to its traces. */
export function NodePanel({ node, graph }: { node: Node; graph: Graph }) {
  const within = useSearchWindow();
  const calls = graph.edges.filter(({ from }) => from === node.id);
  const callers = graph.edges.filter(({ to }) => to === node.id);
  const about =
    node.type === 'service'
      ? { service: node.name }
      : { where: `server.address=${node.name}`, kind: 'client' };
  return (
    <aside className="panel map-panel" aria-label={node.name}>
      <h2>{node.name}</h2>
      <p className="muted">{typeWords[node.type]}</p>
      {node.stats && <Numbers stats={node.stats} />}
      <ul className="map-ways">
        <li>
          <Link href={href('/search', { ...about, ...within })}>Latest traces</Link>
        </li>
        <li>
          <Link href={href('/search', { ...about, ...within, order: 'duration' })}>Longest traces</Link>
        </li>
        <li>
          <Link href={href('/search', { ...about, ...within, status: 'error', order: 'duration' })}>
            Failed traces
          </Link>
        </li>
        {node.stats?.exemplars.slowest && (
          <li>
            <Link href={traceHref(node.stats.exemplars.slowest)}>The slowest one</Link>
          </li>
        )}
      </ul>
      <p className="muted">
        Called by {callers.map(({ from }) => from).join(', ') || 'nobody'}; calls{' '}
        {calls.map(({ to }) => to).join(', ') || 'nobody'}.
      </p>
    </aside>
  );
}

function Numbers({ stats }: { stats: Stats }) {
  const time = (nanos: number | null) => (nanos === null ? '–' : duration(nanos));
  return (
    <dl className="pairs">
      <dt>Calls</dt>
      <dd>
        {count(stats.calls)}, {rate(stats.rate)}
      </dd>
      <dt>Errors</dt>
      <dd className={stats.errors > 0 ? 'failed' : undefined}>{percent(stats.errorRatio)}</dd>
      <dt>p50, p95, p99</dt>
      <dd>
        {time(stats.p50)}, {time(stats.p95)}, {time(stats.p99)}
      </dd>
    </dl>
  );
}
