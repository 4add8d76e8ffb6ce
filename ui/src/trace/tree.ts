/**
 * The tree of a trace as it is shown: who is below whom, and in which order. Pure.
 *
 * Spans are named by where they stand in the API's list, which has every span after its parent.
 */
import type { Span } from '../api/types.ts';

export interface Tree {
  /** Parent of each span, -1 for one at the top. */
  parent: Int32Array;
  children: number[][];
  /** Every span in the order of the tree, parents first. */
  order: number[];
  /** Where each span stands in `order`. */
  place: Int32Array;
  depth: Int32Array;
  /** How many spans stand below each. */
  below: Int32Array;
  deepest: number;
}

/** What a span says about itself; with `inferred` false, links that were inferred are taken for none. */
export function buildTree(spans: readonly Span[], inferred = true): Tree {
  const parent = new Int32Array(spans.length).fill(-1);
  const children: number[][] = spans.map(() => []);
  const roots: number[] = [];
  spans.forEach((span, index) => {
    const hidden = !inferred && span.link?.kind === 'inferred';
    if (span.parent === null || hidden) roots.push(index);
    else {
      parent[index] = span.parent;
      children[span.parent]?.push(index);
    }
  });
  const tree: Tree = {
    parent,
    children,
    order: [],
    place: new Int32Array(spans.length),
    depth: new Int32Array(spans.length),
    below: new Int32Array(spans.length),
    deepest: 0,
  };
  walk(tree, roots);
  return tree;
}

/** Without recursion: a trace may be deeper than a stack. */
function walk(tree: Tree, roots: readonly number[]): void {
  const waiting = roots.toReversed();
  for (let span = waiting.pop(); span !== undefined; span = waiting.pop()) {
    const parent = tree.parent[span] ?? -1;
    const depth = parent < 0 ? 0 : (tree.depth[parent] ?? 0) + 1;
    tree.depth[span] = depth;
    tree.deepest = Math.max(tree.deepest, depth);
    tree.place[span] = tree.order.length;
    tree.order.push(span);
    for (const child of (tree.children[span] ?? []).toReversed()) waiting.push(child);
  }
  for (const span of tree.order.toReversed()) {
    const parent = tree.parent[span] ?? -1;
    if (parent >= 0) tree.below[parent] = (tree.below[parent] ?? 0) + (tree.below[span] ?? 0) + 1;
  }
}

/** Everything above `span`, nearest first. */
export function ancestors(tree: Tree, span: number): number[] {
  const above: number[] = [];
  for (let next = tree.parent[span] ?? -1; next >= 0; next = tree.parent[next] ?? -1) above.push(next);
  return above;
}

/** The spans to show: nothing below a collapsed one, and of `only` (if given) those and what is above them. */
export function visible(tree: Tree, collapsed: ReadonlySet<number>, only?: ReadonlySet<number>): number[] {
  const wanted = only && withAncestors(tree, only);
  const rows: number[] = [];
  for (let place = 0; place < tree.order.length; place += 1) {
    const span = tree.order[place] ?? 0;
    if (wanted && !wanted.has(span)) continue;
    rows.push(span);
    if (collapsed.has(span)) place += tree.below[span] ?? 0;
  }
  return rows;
}

function withAncestors(tree: Tree, spans: ReadonlySet<number>): Set<number> {
  const all = new Set<number>();
  for (const span of spans) {
    for (let next = span; next >= 0 && !all.has(next); next = tree.parent[next] ?? -1) all.add(next);
  }
  return all;
}

/** For each level down to `span`, that of the roots left out: whether a line goes on from there to a later sibling. */
export function guides(tree: Tree, span: number): boolean[] {
  return [span, ...ancestors(tree, span)]
    .slice(0, -1)
    .toReversed()
    .map((each) => !isLast(tree, each));
}

export function isLast(tree: Tree, span: number): boolean {
  const parent = tree.parent[span] ?? -1;
  return parent < 0 || tree.children[parent]?.at(-1) === span;
}
