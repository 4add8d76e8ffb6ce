import type { AddedLatency } from '../../api/types.ts';
import { duration } from '../../format/duration.ts';
import { count } from '../../format/number.ts';

/** Where the sidecars' buckets end, in nanoseconds: what is longer is longer than this. */
const LAST_BOUND = 50e6;

/** `≤ 20.0 µs`: the bound within which 99 of 100 heads stayed. */
export function addedLatency({ requests, p99 }: AddedLatency): string {
  if (requests === 0) return '';
  return p99 === null ? `> ${duration(LAST_BOUND)}` : `≤ ${duration(p99)}`;
}

/** All that is known of it, for who points at it. */
export function addedLatencyHint({ requests, mean, p50 }: AddedLatency): string | undefined {
  if (mean === null) return undefined;
  const half = p50 === null ? '' : `, half of them within ${duration(p50)}`;
  return `${count(requests)} heads, ${duration(mean)} on average${half}`;
}
