import { expect, test } from 'vitest';

import { byOperation, flame } from './aggregate.ts';
import { failed, span, trace } from './fixture.ts';
import { buildTree } from './tree.ts';

const it = trace([
  span({ duration: 100, selfTime: 40 }),
  span({ parent: 0, operation: 'query', duration: 20, selfTime: 20 }),
  span({ parent: 0, operation: 'query', duration: 30, selfTime: 30, ...failed }),
  span({ parent: 0, operation: 'render', duration: 10, selfTime: 10 }),
]);

test('a frame is as wide as its own time and that of the frames on it', () => {
  const frames = flame(it, buildTree(it.spans));
  expect(frames.map(({ operation, from, width }) => [operation, from, width])).toEqual([
    ['GET /', 0, 1],
    ['query', 0, 0.5],
    ['render', 0.5, 0.1],
  ]);
});

test('a frame stands for all spans of its path and shows the longest one', () => {
  const query = flame(it, buildTree(it.spans)).find(({ operation }) => operation === 'query');
  expect(query).toMatchObject({ spans: 2, errors: 1, span: 2, self: 50 });
});

test('a trace without time has frames all the same', () => {
  const still = trace([span({ duration: 0, selfTime: 0 }), span({ parent: 0, duration: 0, selfTime: 0 })]);
  for (const { from, width } of flame(still, buildTree(still.spans))) expect([from, width]).toEqual([0, 0]);
});

test('operations come with the most time of their own first', () => {
  expect(byOperation(it).map(({ operation, spans, longest }) => [operation, spans, longest])).toEqual([
    ['query', 2, 30],
    ['GET /', 1, 100],
    ['render', 1, 10],
  ]);
});
