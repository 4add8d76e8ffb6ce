/** The tail: spans are seen as they arrive, wait while the reader has paused, and lead to their traces. */
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { deposit, failingDeposit } from './bank.ts';
import { Browser } from './chromium.ts';
import { Collector } from './collector.ts';

let collector: Collector;
let browser: Browser;

beforeAll(async () => {
  collector = await Collector.start();
  browser = await Browser.start();
});

afterAll(async () => {
  await browser.stop();
  await collector.stop();
});

test('spans that match are shown as they arrive, by the link that says which', async () => {
  const { page, complaints } = await browser.open(`${collector.url}/tail?service=transaction&status=error`);
  await page.getByRole('status').getByText('Following').waitFor();
  await collector.send(deposit(20), 1000);
  const id = await collector.send(failingDeposit(200), 1000);
  const link = page.getByRole('region', { name: 'Spans' }).getByRole('link').first();
  await link.waitFor();
  const lines = page.getByRole('region', { name: 'Spans' }).locator('tbody tr');
  // the failed call of its own, and the answer
  expect(await lines.count()).toBe(2);
  expect(await lines.getByText('answered 502').count()).toBe(1);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
  await page.screenshot({ path: '../target/pages/tail-following.png' });
  await link.click();
  await page.waitForURL(new RegExp(`/trace/${id}\\?span=`));
  await page.getByRole('treegrid').waitFor();
  expect(complaints).toEqual([]);
  await page.close();
});

test('who has paused reads in peace, and goes on by the keyboard', async () => {
  const { page, complaints } = await browser.open(`${collector.url}/tail?service=edge&roots=true`);
  await page.getByRole('status').getByText('Following').waitFor();
  await page.keyboard.press('p');
  await page.getByRole('button', { name: /^Go on/ }).waitFor();
  for (let index = 0; index < 3; index += 1) await collector.send(deposit(20), 1000);
  await page.getByText('Paused: 3 spans waiting').waitFor();
  const lines = page.getByRole('region', { name: 'Spans' }).locator('tbody tr');
  expect(await lines.count()).toBe(0);
  await page.keyboard.press('p');
  await lines.first().waitFor();
  expect(await lines.count()).toBe(3);
  await page.keyboard.press('c');
  await page.getByText('Waiting for spans').waitFor();
  // letters that are typed are letters
  await page.getByLabel('Operation').fill('');
  await page.getByLabel('Operation').press('p');
  expect(await page.getByRole('button', { name: /^Pause/ }).count()).toBe(1);
  expect(complaints).toEqual([]);
  await page.close();
});

test('a question that makes no sense is answered with what is allowed', async () => {
  const { page } = await browser.open(`${collector.url}/tail?minDuration=soon`);
  await page.getByRole('alert').getByText('minDuration').waitFor();
  await page.close();
});
