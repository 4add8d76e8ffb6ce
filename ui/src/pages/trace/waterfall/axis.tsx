import { duration, ticks } from '../../../format/duration.ts';
import type { Extent } from '../../../trace/times.ts';
import { cssPercent } from './bar.ts';

/** A tick further right has no room for its text. */
const LAST = 0.93;

/** The times above the bars, from where the trace begins. */
export function Axis({ window, all }: { window: Extent; all: Extent }) {
  const length = window.to - window.from;
  const from = window.from - all.from;
  return ticks(from, from + length, 5)
    .map((at) => ({ at, share: (at - from) / length }))
    .filter(({ share }) => share < LAST)
    .map(({ at, share }) => (
      <span key={at} className="tick" style={{ left: cssPercent(share) }}>
        {duration(at)}
      </span>
    ));
}
