/** What a real sidecar tells of itself, on the page of the mesh. */
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { Browser } from './chromium.ts';
import { Collector } from './collector.ts';
import { Sidecar } from './sidecar.ts';

let collector: Collector;
let sidecar: Sidecar;
let browser: Browser;

beforeAll(async () => {
  collector = await Collector.start();
  sidecar = await Sidecar.start('till', collector.grpc);
  browser = await Browser.start();
});

afterAll(async () => {
  await browser.stop();
  await sidecar.stop();
  await collector.stop();
});

test("a sidecar's version, losses, added latency, CPU and memory are seen", async () => {
  for (let index = 0; index < 5; index += 1) expect(await sidecar.ask()).toBe(200);
  await sidecar.stop();
  const { page, complaints } = await browser.open(`${collector.url}/mesh?workload=till`);
  const line = page.getByRole('region', { name: 'Workloads' }).getByRole('row', { name: /till/ });
  await line.getByText('≤').waitFor();
  const cells = await line.getByRole('cell').allTextContents();
  const [name, instances, version, , , losses, added, cpu, memory] = cells;
  expect([name, instances, losses]).toEqual(['till', '1', 'none']);
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(added).toMatch(/^≤ .* [µm]s$/);
  expect(cpu).toMatch(/ %$| CPUs$/);
  expect(memory).toMatch(/ MiB$/);
  const instance = page.getByRole('region', { name: 'Its instances' }).getByRole('row', { name: /till-0/ });
  expect((await instance.getByRole('cell').allTextContents())[4]).toBe('5');
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
  expect(complaints).toEqual([]);
});
