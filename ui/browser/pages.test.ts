/** Every page, by its deep link: it shows what it is for, complains about nothing, and everybody can use it. */
import { mkdir } from 'node:fs/promises';

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';

import { desk, type Look, phone } from './chromium.ts';
import { stage } from './stage.ts';

/** Where the pictures are kept. */
const pictures = '../target/pages';

const the = stage();

beforeAll(() => mkdir(pictures, { recursive: true }));

/** Name, deep link, and what can be seen once it is there. */
const pages: [string, () => string, (page: Page) => Promise<unknown>][] = [
  ['overview', () => '/', (page) => page.getByRole('table').getByText('transaction').first().waitFor()],
  ['search', () => '/search?order=duration', (page) => page.getByText('POST /statements').first().waitFor()],
  [
    'search without results',
    () => '/search?service=nobody',
    (page) => page.getByText('No trace matches').waitFor(),
  ],
  [
    'search refused',
    () => '/search?minDuration=soon',
    (page) => page.getByRole('alert').getByText('minDuration').waitFor(),
  ],
  [
    'trace',
    () => `/trace/${the.sent.slowestFailing}?span=a000000000000003`,
    (page) => page.getByRole('treegrid').waitFor(),
  ],
  [
    'trace with gaps',
    () => `/trace/${the.sent.withGaps}`,
    (page) => page.getByText('no spans from peer').first().waitFor(),
  ],
  [
    'flame graph',
    () => `/trace/${the.sent.fine[0]}?view=flame`,
    (page) => page.locator('.frame').first().waitFor(),
  ],
  [
    'table',
    () => `/trace/${the.sent.fine[0]}?view=table`,
    (page) => page.getByRole('columnheader', { name: 'Self time' }).waitFor(),
  ],
  [
    'operations',
    () => `/trace/${the.sent.fine[0]}?view=table&by=operation`,
    (page) => page.getByRole('columnheader', { name: 'Longest' }).waitFor(),
  ],
  [
    'trace that is not there',
    () => `/trace/${'0'.repeat(31)}1`,
    (page) => page.getByText('This trace is not here').waitFor(),
  ],
  ['map', () => '/map', (page) => page.getByRole('button', { name: /^balance/ }).waitFor()],
  [
    'map around one',
    () => '/map?focus=cashier',
    (page) => page.getByRole('complementary', { name: 'cashier' }).waitFor(),
  ],
  ['tail', () => '/tail?service=cashier', (page) => page.getByText('Waiting for spans').waitFor()],
  ['mesh', () => '/mesh?workload=cashier', (page) => page.getByText('What to do').waitFor()],
  [
    'compare',
    () => `/compare?a=${the.sent.fine[0]}&b=${the.sent.slowestFailing}`,
    (page) => page.getByText('Where they differ').waitFor(),
  ],
  ['compare nothing', () => '/compare', (page) => page.getByText('Nothing to compare yet').waitFor()],
  ['no such page', () => '/nowhere', (page) => page.getByText('There is no such page').waitFor()],
];

const looks: [string, Look][] = [
  ['light', desk],
  ['dark', { ...desk, colours: 'dark' }],
  ['phone', phone],
];

describe.each(looks)('%s', (lookName, look) => {
  test.each(pages)(
    '%s opens by its link, complains about nothing, and is accessible',
    async (name, path, shown) => {
      const { page, complaints } = await the.open(path(), look);
      try {
        await shown(page);
        await page.screenshot({ path: `${pictures}/${name.replaceAll(' ', '-')}-${lookName}.png` });
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(
          violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
        ).toEqual([]);
        // a wrong question is answered with 400, and the browser says so
        const expected = /status of 40[04]/;
        const refused = name === 'search refused' || name === 'trace that is not there';
        expect(complaints.filter((each) => !refused || !expected.test(each))).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow, 'nothing sticks out to the side').toBeLessThanOrEqual(0);
      } finally {
        await page.close();
      }
    },
  );
});
