import { expect, test } from 'vitest';

import { addedLatency, addedLatencyHint } from './added-latency.ts';

test('added latency is a bound, or beyond the last one, or not there', () => {
  const some = { requests: 1000, mean: 12_000, p50: 10_000, p99: 50_000 };
  expect(addedLatency(some)).toBe('≤ 50.0 µs');
  expect(addedLatencyHint(some)).toBe('1,000 heads, 12.0 µs on average, half of them within 10.0 µs');
  expect(addedLatency({ ...some, p99: null })).toBe('> 50.0 ms');
  const none = { requests: 0, mean: null, p50: null, p99: null };
  expect([addedLatency(none), addedLatencyHint(none)]).toEqual(['', undefined]);
});
