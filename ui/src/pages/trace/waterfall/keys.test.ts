import { expect, test } from 'vitest';

import { span } from '../../../trace/fixture.ts';
import { buildTree, visible } from '../../../trace/tree.ts';
import { move } from './keys.ts';

// 0 ─┬ 1 ── 2
//    └ 3
const tree = buildTree([span(), span({ parent: 0 }), span({ parent: 1 }), span({ parent: 0 })]);

function press(key: string, active?: number, collapsed = new Set<number>()) {
  return move(key, { tree, rows: visible(tree, collapsed), collapsed, active, page: 2 });
}

test('up and down go from row to row and stop at the ends', () => {
  expect(press('ArrowDown')).toEqual({ go: 0 });
  expect(press('ArrowDown', 1)).toEqual({ go: 2 });
  expect(press('ArrowUp', 0)).toEqual({ go: 0 });
  expect(press('PageDown', 2)).toEqual({ go: 3 });
  expect(press('End', 0)).toEqual({ go: 3 });
});

test('right opens, then goes to the first child', () => {
  expect(press('ArrowRight', 1, new Set([1]))).toEqual({ expand: 1 });
  expect(press('ArrowRight', 1)).toEqual({ go: 2 });
  expect(press('ArrowRight', 2)).toBeUndefined();
});

test('left closes, then goes to the parent', () => {
  expect(press('ArrowLeft', 1)).toEqual({ collapse: 1 });
  expect(press('ArrowLeft', 1, new Set([1]))).toEqual({ go: 0 });
  expect(press('ArrowLeft', 3)).toEqual({ go: 0 });
});

test('other keys do nothing', () => {
  expect(press('a', 1)).toBeUndefined();
});
