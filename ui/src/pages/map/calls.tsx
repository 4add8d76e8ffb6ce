import type { Graph } from '../../api/types.ts';
import { Errors } from '../../design/errors.tsx';
import { Exemplars } from '../../design/exemplars.tsx';
import { LinkShares } from '../../design/link-shares.tsx';
import { type Column, Table } from '../../design/table.tsx';
import { duration } from '../../format/duration.ts';
import { count, rate } from '../../format/number.ts';

/** Every edge of the map in words, those that fail first. */
export function Calls({ graph }: { graph: Pick<Graph, 'nodes' | 'edges'> }) {
  const edges = graph.edges.toSorted(
    (a, b) => (b.stats?.errorRatio ?? 0) - (a.stats?.errorRatio ?? 0) || b.calls - a.calls,
  );
  const name = (id: string) => graph.nodes.find((node) => node.id === id)?.name ?? id;
  const columns: Column<Graph['edges'][number]>[] = [
    { head: 'From', cell: ({ from }) => name(from) },
    { head: 'To', cell: ({ to }) => name(to) },
    { head: 'Calls', numeric: true, cell: ({ calls }) => count(calls) },
    { head: 'Rate', numeric: true, cell: ({ stats }) => stats && rate(stats.rate) },
    { head: 'Errors', numeric: true, cell: ({ stats }) => stats && <Errors ratio={stats.errorRatio} /> },
    { head: 'p50', numeric: true, cell: ({ stats }) => stats?.p50 != null && duration(stats.p50) },
    { head: 'p95', numeric: true, cell: ({ stats }) => stats?.p95 != null && duration(stats.p95) },
    { head: 'Links', cell: ({ links }) => links && <LinkShares links={links} /> },
    {
      head: 'Look at',
      className: 'nowrap looks',
      cell: ({ stats }) => stats && <Exemplars of={stats.exemplars} />,
    },
  ];
  return (
    <section className="panel wide" tabIndex={0} aria-labelledby="calls">
      <h2 id="calls">Calls</h2>
      <Table columns={columns} lines={edges} id={({ from, to }) => `${from} ${to}`} />
    </section>
  );
}
