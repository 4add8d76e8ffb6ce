import { duration, ticks } from '../../../format/duration.ts';
import type { Extent } from '../../../trace/times.ts';
import { cssPercent } from './bar.ts';

/** The times above the bars, from the start of the trace. */
export function Axis({ window }: { window: Extent }) {
  const length = window.to - window.from;
  return ticks(length, 5)
    .filter((at) => at / length < 0.93)
    .map((at) => (
      <span key={at} className="tick" style={{ left: cssPercent(at / length) }}>
        {duration(window.from + at)}
      </span>
    ));
}
