import { expect, test } from 'vitest';

import { bar, textSide } from './bar.ts';

const window = { from: 100, to: 200 };

test('a bar is cut at the edges of the window', () => {
  expect(bar(120, 140, window)).toEqual({ left: 0.2, width: expect.closeTo(0.2) as number });
  expect(bar(0, 150, window)).toEqual({ left: 0, width: 0.5 });
  expect(bar(150, 900, window)).toEqual({ left: 0.5, width: 0.5 });
});

test('what is outside has no bar, and a moment has one without width', () => {
  expect(bar(0, 50, window)).toBeUndefined();
  expect(bar(250, 260, window)).toBeUndefined();
  expect(bar(150, 150, window)).toEqual({ left: 0.5, width: 0 });
});

test('a text stands where there is room for it', () => {
  expect(textSide({ left: 0.1, width: 0.2 })).toBe('behind');
  expect(textSide({ left: 0.8, width: 0.1 })).toBe('before');
  expect(textSide({ left: 0, width: 1 })).toBe('within');
});
