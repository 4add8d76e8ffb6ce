import { describe, expect, test } from 'vitest';

import { linked, span } from './fixture.ts';
import { buildTree, guides, visible } from './tree.ts';

// 0 ─┬ 1 ── 2
//    └ 3
// 4
const spans = [
  span(),
  span({ parent: 0 }),
  span({ parent: 1, ...linked('inferred', 0.9) }),
  span({ parent: 0 }),
  span(),
];
const tree = buildTree(spans);

describe('a tree', () => {
  test('counts what is below each span and how deep it stands', () => {
    expect([...tree.below]).toEqual([3, 1, 0, 0, 0]);
    expect([...tree.depth]).toEqual([0, 1, 2, 1, 0]);
    expect(tree.deepest).toBe(2);
  });

  test('shows nothing below what is collapsed', () => {
    expect(visible(tree, new Set())).toEqual([0, 1, 2, 3, 4]);
    expect(visible(tree, new Set([1]))).toEqual([0, 1, 3, 4]);
    expect(visible(tree, new Set([0]))).toEqual([0, 4]);
  });

  test('shows a span that was asked for with everything above it', () => {
    expect(visible(tree, new Set(), new Set([2]))).toEqual([0, 1, 2]);
  });

  test('puts what was joined by an inferred link to the end when such links are hidden', () => {
    const hidden = buildTree(spans, false);
    expect(hidden.order).toEqual([0, 1, 3, 2, 4]);
    expect(hidden.depth[2]).toBe(0);
  });

  test('draws a line past a row only where a later sibling follows', () => {
    expect(guides(tree, 0)).toEqual([]);
    expect(guides(tree, 1)).toEqual([true]);
    expect(guides(tree, 2)).toEqual([true, false]);
    expect(guides(tree, 3)).toEqual([false]);
  });

  test('may be deeper than a stack', () => {
    const deep = Array.from({ length: 50_000 }, (_, index) => span(index === 0 ? {} : { parent: index - 1 }));
    expect(buildTree(deep).deepest).toBe(49_999);
  });
});
