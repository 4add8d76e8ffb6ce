/** What a test file looks at: a collector with the bank's traffic in it, and a browser. */
import { afterAll, beforeAll } from 'vitest';

import { Browser, type Look } from './chromium.ts';
import { Collector } from './collector.ts';
import { type Sent, sendTraffic } from './traffic.ts';

/** There from before the first test until after the last. */
export function stage() {
  let collector: Collector;
  let browser: Browser;
  let sent: Sent;
  beforeAll(async () => {
    collector = await Collector.start();
    sent = await sendTraffic(collector);
    browser = await Browser.start();
  });
  afterAll(async () => {
    await browser.stop();
    await collector.stop();
  });
  return {
    /** What was sent, by the ids of its traces. */
    get sent() {
      return sent;
    },
    /** A page of the collector, by its path, with what it complains about. */
    open: (path: string, look?: Look) => browser.open(collector.url + path, look),
  };
}
