/** A real collector on ports of its own, for as long as a test file runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { type Call, request } from './otlp.ts';

/** Where `cargo build` puts it, unless told otherwise. */
const program = process.env.MESHTRACE_COLLECTOR_PROGRAM ?? '../target/debug/meshtrace-collector';
/** How long it may take to start, in steps of a tenth of a second. */
const PATIENCE = 100;

export class Collector {
  private sent = 0;

  private constructor(
    private readonly process: ChildProcess,
    /** Where the pages are. */
    readonly url: string,
    private readonly ingest: string,
    /** Where sidecars send to. */
    readonly grpc: string,
  ) {}

  static async start(): Promise<Collector> {
    const [grpc, http, zipkin, query, admin] = await freePorts(5);
    const at = (port: number | undefined) => `127.0.0.1:${port ?? 0}`;
    const child = spawn(
      program,
      [
        `--otlp-grpc=${at(grpc)}`,
        `--otlp-http=${at(http)}`,
        `--zipkin=${at(zipkin)}`,
        `--query=${at(query)}`,
        `--admin=${at(admin)}`,
        '--log=warn',
      ],
      { stdio: 'inherit' },
    );
    const collector = new Collector(
      child,
      `http://${at(query)}`,
      `http://${at(http)}/v1/traces`,
      `http://${at(grpc)}`,
    );
    for (let tries = 0; tries < PATIENCE; tries += 1) {
      if (child.exitCode !== null) break;
      const ready = await fetch(`http://${at(admin)}/ready`).catch(() => undefined);
      if (ready?.ok) return collector;
      await pause(100);
    }
    throw new Error(`${program} does not start; build it with: cargo build -p meshtrace-collector`);
  }

  /** Sends a request of the bank that began `before` milliseconds ago; answers the id of its trace. */
  async send(root: Call, before: number): Promise<string> {
    this.sent += 1;
    const id = traceId(this.sent);
    const start = BigInt(Math.round(Date.now() - before)) * 1_000_000n;
    const answer = await fetch(this.ingest, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request(id, start, root)),
    });
    if (!answer.ok) throw new Error(`the collector refused: ${await answer.text()}`);
    return id;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}

/** Different for each number, in the first digits too. */
function traceId(number: number): string {
  const mixed = (BigInt(number) * 0x9e3779b97f4a7c15n) & 0xffff_ffff_ffff_ffffn;
  return mixed.toString(16).padStart(16, '0') + number.toString(16).padStart(16, '0');
}

/** Ports that are free now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
