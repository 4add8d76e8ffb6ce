/** When spans were, by the senders' clocks or with their estimated skew taken out. Pure; nanoseconds. */
import type { Span, Trace } from '../api/types.ts';

export type Clock = 'adjusted' | 'raw';

/** From the trace's start. */
export const begin = (span: Span, clock: Clock) => (clock === 'raw' ? span.offset : span.adjustedOffset);

export interface Extent {
  from: number;
  to: number;
}

/** From the first start to the last end of all spans; never empty. */
export function extent(spans: readonly Span[], clock: Clock): Extent {
  let from = Infinity;
  let to = -Infinity;
  for (const span of spans) {
    const start = begin(span, clock);
    from = Math.min(from, start);
    to = Math.max(to, start + span.duration);
  }
  if (!(to > from))
    return { from: Number.isFinite(from) ? from : 0, to: (Number.isFinite(from) ? from : 0) + 1 };
  return { from, to };
}

/** Where a moment stands in an extent: 0 at its start, 1 at its end. */
export const position = (at: number, within: Extent) => (at - within.from) / (within.to - within.from);

/** The part of an extent that `from` and `to` of a URL name, or all of it. */
export function zoomed(all: Extent, from: string | null, to: string | null): Extent {
  const start = from === null ? all.from : clamp(Number(from), all);
  const end = to === null ? all.to : clamp(Number(to), all);
  return end > start ? { from: start, to: end } : all;
}

const clamp = (value: number, { from, to }: Extent) =>
  Number.isFinite(value) ? Math.min(Math.max(value, from), to) : from;

/** Whether any clock was found to differ, so that the two views are not the same. */
export const skewed = (trace: Trace) => trace.clockSkew.some(({ offset }) => offset !== 0);
