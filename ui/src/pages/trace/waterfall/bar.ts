/** Where a bar and its text stand in the time that is shown. Pure; everything from 0 to 1 of the width. */
import { type Extent, position } from '../../../trace/times.ts';

export interface Bar {
  left: number;
  width: number;
}

/** Undefined if nothing of it is in the window. */
export function bar(from: number, to: number, window: Extent): Bar | undefined {
  const left = Math.max(0, position(from, window));
  const right = Math.min(1, position(to, window));
  return left > 1 || right < 0 ? undefined : { left, width: Math.max(0, right - left) };
}

/** On which side of its bar a text finds room: behind it, before it, or in it. */
export function textSide({ left, width }: Bar): 'behind' | 'before' | 'within' {
  const room = 0.3;
  if (1 - left - width >= room) return 'behind';
  return left >= room ? 'before' : 'within';
}

/** As CSS has it. */
export const cssPercent = (share: number) => `${(share * 100).toFixed(3)}%`;
