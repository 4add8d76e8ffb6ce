import { expect, test } from 'vitest';

import { clicked, type Column, sorted } from './sort.ts';

const columns: Column<[string, number]>[] = [
  { id: 'name', title: 'Name', value: ([name]) => name },
  { id: 'size', title: 'Size', value: ([, size]) => size, numeric: true },
];
const lines: [string, number][] = [
  ['b', 1],
  ['a', 3],
  ['c', 2],
];

test('numbers come largest first, texts in alphabetical order, and a second click turns them round', () => {
  const names = (column: string, reversed: boolean) =>
    sorted(lines, columns, { column, reversed }).map(([name]) => name);
  expect(names('size', false)).toEqual(['a', 'c', 'b']);
  expect(names('name', false)).toEqual(['a', 'b', 'c']);
  const again = clicked({ column: 'size', reversed: false }, 'size');
  expect(names(again.column, again.reversed)).toEqual(['b', 'c', 'a']);
});
