/** What these pages are for: from the overview to the responsible span in three clicks. */
import { expect, test } from 'vitest';

import { desk, phone } from './chromium.ts';
import { stage } from './stage.ts';

const the = stage();

test.each([
  ['at a desk', desk],
  ['on a phone', phone],
])(
  'from the overview to the slowest failing deposit, its critical path and the responsible span, %s',
  async (_, look) => {
    const { page, complaints } = await the.open('/', look);
    const failing = page.getByRole('region', { name: 'Failing operations' });

    // one: the failing deposits, the longest first
    await failing.getByRole('link', { name: 'edge POST /accounts/{id}/deposit' }).click();
    const results = page.locator('.results tbody tr');
    await results.first().waitFor();

    // two: the slowest of them
    await results.first().getByRole('link').click();
    await page.getByRole('treegrid').waitFor();
    expect(new URL(page.url()).pathname).toBe(`/trace/${the.sent.slowestFailing}`);
    // its critical path is there at once
    expect(await page.locator('.bar-critical').count()).toBeGreaterThan(3);

    // three: where it failed first
    await page.getByText('Failed first').locator('..').getByRole('button').click();
    const details = page.getByRole('complementary', { name: 'Selected span' });
    await details.getByText('the ledger is locked').first().waitFor();
    expect(await details.getByRole('heading').first().textContent()).toBe('PUT /accounts/{id}/balance');
    expect(await page.locator('.waterfall-row.is-selected').textContent()).toContain('balance');
    await page.screenshot({ path: `../target/pages/three-clicks-${look.width}.png` });
    expect(complaints).toEqual([]);
    await page.close();
  },
);
