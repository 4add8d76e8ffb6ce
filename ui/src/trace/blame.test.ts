import { expect, test } from 'vitest';

import { blame, confidence, errors, failure } from './blame.ts';
import { failed, linked, span, trace } from './fixture.ts';
import { buildTree } from './tree.ts';

test('the failure to look at is the one that no failure below explains', () => {
  const it = trace([
    span({ ...failed, duration: 100 }),
    span({ ...failed, parent: 0, duration: 90 }),
    span({ ...failed, parent: 1, duration: 80 }),
    span({ parent: 2, duration: 70 }),
  ]);
  expect(blame(it, buildTree(it.spans)).failed).toBe(2);
});

test('of several failures it is the one that the trace waited for', () => {
  const it = trace(
    [span(), span({ ...failed, parent: 0, selfTime: 90 }), span({ ...failed, parent: 0, selfTime: 5 })],
    {
      criticalPath: [{ span: 2, offset: 0, duration: 5 }],
    },
  );
  expect(blame(it, buildTree(it.spans)).failed).toBe(2);
});

test('whatever fails, there is the span that the trace waited for longest', () => {
  const it = trace([span(), span({ parent: 0 }), span({ parent: 0 })], {
    criticalPath: [
      { span: 0, offset: 0, duration: 10 },
      { span: 1, offset: 10, duration: 20 },
      { span: 2, offset: 30, duration: 15 },
      { span: 0, offset: 45, duration: 5 },
    ],
  });
  expect(blame(it, buildTree(it.spans))).toEqual({ failed: undefined, slowest: 1 });
});

test('the confidence of a span is the product of all links above it', () => {
  const it = trace([
    span(),
    span({ parent: 0, ...linked('inferred', 0.9) }),
    span({ parent: 1, ...linked('exact') }),
    span({ parent: 2, ...linked('inferred', 0.5) }),
  ]);
  expect(confidence(it, buildTree(it.spans), 3)).toBeCloseTo(0.45);
  expect(confidence(it, buildTree(it.spans), 2)).toBeCloseTo(0.9);
});

test('errors stand in the order in which they came about, not in which their spans began', () => {
  const it = trace([
    span({ ...failed, duration: 100 }),
    span({ ...failed, parent: 0, offset: 10, duration: 20 }),
  ]);
  expect(errors(it)).toEqual([1, 0]);
});

test('a failed span without a message says the kind of its error', () => {
  const attributes = [{ key: 'error.type', type: 'string' as const, value: '503' }];
  expect(failure(span({ ...failed, attributes }))).toBe('no');
  expect(failure(span({ status: { code: 'error', message: '' }, attributes }))).toBe('503');
});
