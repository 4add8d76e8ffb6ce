/** A quarter of an hour of the bank, the same every time. */
import { deposit, failingDeposit, large, withdrawal } from './bank.ts';
import type { Collector } from './collector.ts';

export interface Sent {
  slowestFailing: string;
  withGaps: string;
  large: string;
  /** Two deposits that work. */
  fine: [string, string];
}

/** Spans of the largest trace: what a waterfall has to take. */
export const LARGE = 10_000;
/** Milliseconds: longer than every other failing deposit. */
export const SLOWEST = 2_400;

export async function sendTraffic(collector: Collector): Promise<Sent> {
  const fine: string[] = [];
  for (let index = 0; index < 60; index += 1) {
    const before = 10_000 + index * 9_000;
    // from 12 to about 300 ms, most of them short
    const takes = 12 + ((index * 37) % 60) ** 2 / 12;
    fine.push(await collector.send(deposit(takes), before));
    if (index % 6 === 0) await collector.send(failingDeposit(200 + index * 12), before + 2_000);
    if (index % 5 === 0) await collector.send(withdrawal(60 + index), before + 4_000);
  }
  const slowestFailing = await collector.send(failingDeposit(SLOWEST), 90_000);
  const withGaps = await collector.send(withdrawal(120), 30_000);
  const big = await collector.send(large(LARGE), 45_000);
  const [first = '', second = ''] = fine;
  return { slowestFailing, withGaps, large: big, fine: [first, second] };
}
