import { expect, test } from 'vitest';

import { hues } from './hues.ts';
import { sparkPath } from './spark-path.ts';

test('no two services share a colour while there are others', () => {
  const names = Array.from({ length: 10 }, (_, index) => `service-${index}`);
  expect(new Set(hues(names).values()).size).toBe(10);
});

test('colours do not depend on the order in which services come', () => {
  expect(hues(['a', 'b', 'c'])).toEqual(hues(['c', 'a', 'b']));
});

test('a line stops where there is no value and goes on behind it', () => {
  expect(sparkPath([0, 1, null, 1, 1], 40, 12)).toBe('M0 11L10 1M30 1L40 1');
});

test('nothing but zeroes is a flat line', () => {
  expect(sparkPath([0, 0], 10, 12)).toBe('M0 11L10 11');
});
