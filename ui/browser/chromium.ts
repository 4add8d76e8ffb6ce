/** A Chromium that talks to nobody but the collector. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type BrowserContext, chromium, type Page } from 'playwright-core';

const program = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** How long a page may take to show what is waited for, in milliseconds. */
const PATIENCE = 20_000;

export interface Look {
  width: number;
  height: number;
  colours: 'light' | 'dark';
}

export const desk: Look = { width: 1280, height: 800, colours: 'light' };
export const phone: Look = { width: 390, height: 844, colours: 'light' };

export class Browser {
  private constructor(
    private readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  static async start(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'meshtrace-chromium-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: program,
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    return new Browser(context, profile);
  }

  /** A page that looks so, with what it complains about. Requests to anywhere else are among the complaints. */
  async open(url: string, look: Look = desk): Promise<{ page: Page; complaints: string[] }> {
    const page = await this.context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`asked ${request.url()}`);
    });
    await page.setViewportSize({ width: look.width, height: look.height });
    await page.emulateMedia({ colorScheme: look.colours });
    await page.goto(url);
    return { page, complaints };
  }

  async stop(): Promise<void> {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}
