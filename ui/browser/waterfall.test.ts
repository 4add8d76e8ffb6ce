/** The waterfall with more spans than anybody has rows for, by pointer and by keyboard. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import { stage } from './stage.ts';
import { LARGE } from './traffic.ts';

/** Rows in the document at a time: what a screen has room for and some beyond each edge. */
const ROWS = 80;

const the = stage();

async function open(path: string): Promise<{ page: Page; complaints: string[] }> {
  const opened = await the.open(path);
  await opened.page.getByRole('treegrid').waitFor();
  return opened;
}

const rows = (page: Page) => page.getByRole('treegrid').locator('.waterfall-row');
const selected = (page: Page) => page.locator('.waterfall-row[aria-selected=true]');
const inUrl = (page: Page, name: string) => new URL(page.url()).searchParams.get(name);

test('ten thousand spans scroll from first to last with only some rows in the document', async () => {
  const { page, complaints } = await open(`/trace/${the.sent.large}`);
  const grid = page.getByRole('treegrid');
  expect(await grid.getAttribute('aria-rowcount')).toBe(String(LARGE + 1));
  const seen = new Set<string>();
  const body = page.locator('.waterfall-body');
  for (let step = 0; step <= 20; step += 1) {
    await body.evaluate((element, share) => (element.scrollTop = element.scrollHeight * share), step / 20);
    await page.evaluate(() =>
      new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame)),
    );
    const ids = await rows(page).evaluateAll((elements) => elements.map(({ id }) => id));
    expect(ids.length).toBeGreaterThan(10);
    expect(ids.length).toBeLessThan(ROWS);
    for (const id of ids) seen.add(id);
  }
  expect(seen.size).toBeGreaterThan(500);
  expect(await rows(page).last().getAttribute('aria-rowindex')).toBe(String(LARGE + 1));
  expect(complaints).toEqual([]);
  await page.close();
});

test('keys walk through the tree, open and close it, and the URL follows', async () => {
  const { page } = await open(`/trace/${the.sent.slowestFailing}`);
  const grid = page.getByRole('treegrid');
  await grid.focus();
  await page.keyboard.press('ArrowDown');
  expect(await selected(page).getAttribute('aria-level')).toBe('1');
  await page.keyboard.press('ArrowRight');
  expect(await selected(page).getAttribute('aria-level')).toBe('2');
  const before = await rows(page).count();
  await page.keyboard.press('ArrowLeft');
  expect(await selected(page).getAttribute('aria-expanded')).toBe('false');
  expect(await rows(page).count()).toBeLessThan(before);
  await page.keyboard.press('ArrowRight');
  expect(await rows(page).count()).toBe(before);
  await page.keyboard.press('End');
  await page.waitForURL(/span=/);
  expect(await grid.getAttribute('aria-activedescendant')).toBe(await selected(page).getAttribute('id'));
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => !url.searchParams.has('span'));
  expect(await page.getByRole('complementary').count()).toBe(0);
  await page.close();
});

test('e goes from failure to failure, the first one first', async () => {
  const { page } = await open(`/trace/${the.sent.slowestFailing}`);
  await page.getByRole('treegrid').focus();
  await page.keyboard.press('e');
  await page.getByText('no lock within 3 attempts').waitFor();
  expect(await selected(page).textContent()).toContain('balance');
  await page.keyboard.press('e');
  expect(await selected(page).textContent()).toContain('transaction');
  await page.close();
});

test('a trace with inferred links hidden shows what they joined on its own', async () => {
  const { page } = await open(`/trace/${the.sent.fine[0]}`);
  const roots = page.locator('.waterfall-row[aria-level="1"]');
  expect(await roots.count()).toBe(1);
  expect(await page.locator('.guide.is-inferred').count()).toBe(2);
  await page.getByLabel('2 inferred links').uncheck();
  await page.waitForURL(/inferred=hidden/);
  expect(await roots.count()).toBe(3);
  await page.close();
});

test('the raw clocks of a trace are a tick away, and in the URL', async () => {
  const { page } = await open(`/trace/${the.sent.withGaps}`);
  await page.getByText('clocks differ').waitFor();
  const left = () =>
    page
      .locator('.waterfall-row', { hasText: 'account GET' })
      .locator('.bar')
      .evaluate((bar) => bar.style.left);
  const adjusted = await left();
  await page.getByLabel('Clocks adjusted').uncheck();
  await page.waitForURL(/clock=raw/);
  expect(await left()).not.toBe(adjusted);
  await page.close();
});

test('a part of the time is chosen by dragging over the minimap, and given up by a click', async () => {
  const { page } = await open(`/trace/${the.sent.large}`);
  const box = await page.locator('.minimap-area').boundingBox();
  if (!box) throw new Error('no minimap');
  const at = (share: number) => [box.x + box.width * share, box.y + box.height / 2] as const;
  await page.mouse.move(...at(0.25));
  await page.mouse.down();
  await page.mouse.move(...at(0.5), { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=/);
  expect(Number(inUrl(page, 'to')) / Number(inUrl(page, 'from'))).toBeCloseTo(2, 1);
  await page.mouse.click(...at(0.7));
  await page.waitForURL((url) => !url.searchParams.has('from'));
  await page.close();
});

test('searching by an attribute of a span finds its trace', async () => {
  const { page } = await open(`/trace/${the.sent.slowestFailing}?span=a000000000000009`);
  await page.getByRole('link', { name: 'Search by http.response.status_code' }).click();
  await page.waitForURL(/search/);
  expect(inUrl(page, 'where')).toBe('http.response.status_code=503');
  await page.locator(`a[href="/trace/${the.sent.slowestFailing}"]`).waitFor();
  await page.close();
});
