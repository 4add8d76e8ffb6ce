/** Where nodes and edges of the service graph stand. Pure. */
import { graphlib, layout as dagre } from '@dagrejs/dagre';

import type { Graph } from '../../api/types.ts';

export type Node = Graph['nodes'][number];
export type Edge = Graph['edges'][number];

export interface Placed {
  width: number;
  height: number;
  nodes: (Node & { x: number; y: number; width: number; height: number })[];
  edges: (Edge & { points: { x: number; y: number }[]; label: { x: number; y: number } })[];
}

export const NODE_HEIGHT = 44;
/** An average letter of a name. */
const LETTER = 7.2;

/** Layers in the direction of calls, to the right or down. Only who is there counts, so that a live graph keeps still. */
export function place({ nodes, edges }: Pick<Graph, 'nodes' | 'edges'>, down = false): Placed {
  const graph = new graphlib.Graph({ multigraph: false });
  graph.setGraph({
    rankdir: down ? 'TB' : 'LR',
    nodesep: 22,
    ranksep: down ? 24 : 60,
    marginx: 12,
    marginy: 12,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of [...nodes].sort(byText(({ id }) => id))) {
    const width = Math.max(132, Math.min(220, node.name.length * LETTER + 30));
    graph.setNode(node.id, { width, height: NODE_HEIGHT });
  }
  const known = new Set(nodes.map(({ id }) => id));
  const drawn = edges.filter(({ from, to }) => known.has(from) && known.has(to));
  for (const { from, to } of [...drawn].sort(byText((edge) => `${edge.from} ${edge.to}`))) {
    graph.setEdge(from, to, { width: 96, height: 20, labelpos: 'c' });
  }
  dagre(graph);
  const size = graph.graph() as { width?: number; height?: number };
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: nodes.map((node) => ({ ...node, ...(graph.node(node.id) as Box) })),
    edges: drawn.map((edge) => {
      const { points, x, y } = graph.edge(edge.from, edge.to) as Line;
      return { ...edge, points, label: { x: x ?? 0, y: y ?? 0 } };
    }),
  };
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
interface Line {
  points: { x: number; y: number }[];
  x?: number;
  y?: number;
}

const byText =
  <Thing>(text: (thing: Thing) => string) =>
  (a: Thing, b: Thing) =>
    text(a) < text(b) ? -1 : 1;

/** A smooth path through the points of an edge. */
export function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (!first || !last) return '';
  let path = `M${at(first)}`;
  rest.slice(0, -1).forEach((point, index) => {
    const next = rest[index + 1] ?? last;
    const end = index === rest.length - 2 ? next : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path += `Q${at(point)} ${at(end)}`;
  });
  return rest.length === 1 ? `${path}L${at(last)}` : path;
}

const at = ({ x, y }: { x: number; y: number }) => `${Math.round(x)} ${Math.round(y)}`;

/** A node, what it calls and who calls it; undefined if there is no such node. */
export function around(graph: Graph, id: string): Pick<Graph, 'nodes' | 'edges'> | undefined {
  if (!graph.nodes.some((node) => node.id === id)) return undefined;
  const edges = graph.edges.filter(({ from, to }) => from === id || to === id);
  const near = new Set([id, ...edges.flatMap(({ from, to }) => [from, to])]);
  return { nodes: graph.nodes.filter((node) => near.has(node.id)), edges };
}
