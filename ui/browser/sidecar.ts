/** A real sidecar before a small server of ours, without a redirect. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { freePorts } from './collector.ts';

/** Where `cargo build` puts it, unless told otherwise. */
const program = process.env.MESHTRACE_SIDECAR_PROGRAM ?? '../target/debug/meshtrace-sidecar';
/** How long it may take to start, in steps of a tenth of a second. */
const PATIENCE = 100;

export class Sidecar {
  private constructor(
    private readonly process: ChildProcess,
    private readonly server: Server,
    private readonly url: string,
  ) {}

  /** Of the instance `service`-0, which sends its spans to `collector`. */
  static async start(service: string, collector: string): Promise<Sidecar> {
    const server = createServer((_, answer) => answer.end('ok')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [listen, admin] = await freePorts(2);
    const child = spawn(program, ['run', '--log=warn'], {
      stdio: 'inherit',
      env: {
        MESHTRACE_SERVICE: service,
        MESHTRACE_RESOURCE: `k8s.pod.name=${service}-0`,
        MESHTRACE_COLLECTOR: collector,
        MESHTRACE_ADMIN: `127.0.0.1:${admin ?? 0}`,
        MESHTRACE_INBOUND_LISTEN: `127.0.0.1:${listen ?? 0}`,
        MESHTRACE_INBOUND_UPSTREAM: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      },
    });
    const sidecar = new Sidecar(child, server, `http://127.0.0.1:${listen ?? 0}`);
    for (let tries = 0; tries < PATIENCE; tries += 1) {
      if (child.exitCode !== null) break;
      const ready = await fetch(`http://127.0.0.1:${admin ?? 0}/ready`).catch(() => undefined);
      if (ready?.ok) return sidecar;
      await pause(100);
    }
    throw new Error(`${program} does not start; build it with: cargo build -p meshtrace-sidecar`);
  }

  /** Sends a request through it, on a connection that ends with the answer; tells the answer's status. */
  async ask(): Promise<number | undefined> {
    const [answer] = (await once(get(this.url, { agent: false }), 'response')) as [IncomingMessage];
    await once(answer.resume(), 'end');
    return answer.statusCode;
  }

  /** Before it goes it tells the collector what became of its spans. */
  async stop(): Promise<void> {
    this.server.close();
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}
