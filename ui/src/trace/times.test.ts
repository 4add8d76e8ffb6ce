import { expect, test } from 'vitest';

import { span } from './fixture.ts';
import { extent, zoomed } from './times.ts';

test('the extent goes from the first start to the last end, by the clock that is asked for', () => {
  const spans = [span({ offset: 0, duration: 50 }), span({ offset: 40, adjustedOffset: 10, duration: 30 })];
  expect(extent(spans, 'raw')).toEqual({ from: 0, to: 70 });
  expect(extent(spans, 'adjusted')).toEqual({ from: 0, to: 50 });
});

test('an extent is never empty', () => {
  expect(extent([], 'raw')).toEqual({ from: 0, to: 1 });
  expect(extent([span({ offset: 5, duration: 0 })], 'raw')).toEqual({ from: 5, to: 6 });
});

test('what a URL asks for stays within the trace, and nonsense is all of it', () => {
  const all = { from: 0, to: 100 };
  expect(zoomed(all, '20', '30')).toEqual({ from: 20, to: 30 });
  expect(zoomed(all, '-5', '1e9')).toEqual(all);
  expect(zoomed(all, '30', '20')).toEqual(all);
  expect(zoomed(all, 'x', null)).toEqual(all);
});
