import { expect, test } from 'vitest';

import { around, curve, place } from './layout.ts';

const node = (id: string) => ({ id, name: id, type: 'service' as const, stats: null });
const edge = (from: string, to: string) => ({ from, to, calls: 1, stats: null, links: null });
const graph = {
  window: { start: '0', end: '1' },
  source: 'live' as const,
  uncounted: 0,
  nodes: ['edge', 'bank', 'ledger', 'audit'].map(node),
  edges: [edge('edge', 'bank'), edge('bank', 'ledger'), edge('ledger', 'bank'), edge('bank', 'bank')],
};

test('callers stand left of what they call, whatever the order in which they come', () => {
  const x = (name: string, placed: ReturnType<typeof place>) =>
    placed.nodes.find(({ id }) => id === name)?.x ?? 0;
  const one = place(graph);
  const other = place({ nodes: graph.nodes.toReversed(), edges: graph.edges.toReversed() });
  expect(x('edge', one)).toBeLessThan(x('bank', one));
  for (const { id } of graph.nodes) expect(x(id, other)).toBe(x(id, one));
});

test('every edge between nodes that are here is drawn, those to others are not', () => {
  const placed = place({ nodes: graph.nodes, edges: [...graph.edges, edge('edge', 'gone')] });
  expect(placed.edges).toHaveLength(4);
  for (const { points } of placed.edges) expect(curve(points)).toMatch(/^M\d/);
});

test('the neighbourhood of a node has only its own edges', () => {
  const near = around(graph, 'edge');
  expect(near?.nodes.map(({ id }) => id)).toEqual(['edge', 'bank']);
  expect(near?.edges).toHaveLength(1);
  expect(around(graph, 'nobody')).toBeUndefined();
});
