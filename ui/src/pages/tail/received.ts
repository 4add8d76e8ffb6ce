/** The spans that have arrived and are shown, or wait while the reader has paused. Bounded. Pure. */
import type { TailSpan } from '../../api/types.ts';

/** Spans that are shown at most, and that wait at most: the latest. */
export const KEPT = 500;

/** A span, with its number among all that have arrived. */
export interface Line {
  number: number;
  span: TailSpan;
}

export interface Received {
  /** The latest first. */
  shown: readonly Line[];
  /** Those that came while paused, the latest first; null while not paused. */
  waiting: readonly Line[] | null;
  /** How many of those have come, kept or not. */
  waitingCount: number;
  /** All that have arrived. */
  arrived: number;
  /** Spans that the collector says we were too slow for. */
  missed: number;
}

export type News =
  | { what: 'arrived'; spans: readonly TailSpan[]; missed: number }
  | { what: 'pause' }
  | { what: 'go on' }
  | { what: 'clear' };

export const nothing: Received = { shown: [], waiting: null, waitingCount: 0, arrived: 0, missed: 0 };

export function received(state: Received, news: News): Received {
  const { shown, waiting } = state;
  switch (news.what) {
    case 'arrived': {
      const { spans } = news;
      const lines = spans.map((span, index) => ({ number: state.arrived + index, span })).reverse();
      const counted = {
        ...state,
        arrived: state.arrived + spans.length,
        missed: state.missed + news.missed,
      };
      if (waiting === null) return { ...counted, shown: latest(lines, shown) };
      return {
        ...counted,
        waiting: latest(lines, waiting),
        waitingCount: state.waitingCount + spans.length,
      };
    }
    case 'pause':
      return { ...state, waiting: waiting ?? [] };
    case 'go on':
      return { ...state, shown: latest(waiting ?? [], shown), waiting: null, waitingCount: 0 };
    case 'clear':
      return { ...state, shown: [], waiting: waiting && [], waitingCount: 0, missed: 0 };
  }
}

const latest = (newer: readonly Line[], older: readonly Line[]) => [...newer, ...older].slice(0, KEPT);
