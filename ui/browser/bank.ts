/** The requests of a bank as sidecars would tell of them: what works, what fails, what is only inferred, what is missing. */
import type { Call } from './otlp.ts';

type Attributes = NonNullable<Call['attributes']>;

const link = (kind: string, more: Attributes = {}): Attributes => ({ 'meshtrace.link.kind': kind, ...more });
export const exact = link('exact', { 'meshtrace.link.method': 'single' });
export const propagated = link('propagated', { 'meshtrace.link.dialect': 'w3c' });
export const inferred = (confidence: number) =>
  link('inferred', { 'meshtrace.link.confidence': confidence, 'meshtrace.link.method': 'learned' });
const unknown = link('unknown', { 'meshtrace.link.reason': 'ambiguous' });

const http = (method: string, route: string, status: number): Attributes => ({
  'http.request.method': method,
  'http.response.status_code': status,
  'http.route': route,
  'url.scheme': 'http',
  'network.protocol.version': '1.1',
});

interface Options {
  at: number;
  takes: number;
  status?: number;
  how?: Attributes;
  calls?: Call[];
  clock?: number;
}

/** A call and its answer: a client's span around a server's, half a millisecond of network on either side. */
function call(from: string, to: string, operation: string, options: Options): Call {
  const { at, takes, status = 200, how = exact, calls = [], clock = 0 } = options;
  const [method = '', route = ''] = operation.split(' ');
  const failed = status >= 500 ? { failed: `answered ${status}` } : {};
  return {
    service: from,
    name: operation,
    kind: 'client',
    ...{ at, takes, ...failed },
    attributes: { ...http(method, route, status), 'server.address': to, ...how },
    calls: [
      {
        service: to,
        name: operation,
        kind: 'server',
        ...{ at: at + 0.5, takes: takes - 1, clock, calls, ...failed },
        attributes: { ...http(method, route, status), 'network.peer.address': '10.201.0.7', ...propagated },
      },
    ],
  };
}

function entry(operation: string, takes: number, status: number, calls: Call[]): Call {
  const [method = '', route = ''] = operation.split(' ');
  return {
    service: 'edge',
    name: operation,
    kind: 'server',
    ...{ at: 0, takes, calls },
    ...(status >= 500 ? { failed: `answered ${status}` } : {}),
    attributes: { ...http(method, route, status), ...link('unknown'), 'client.address': '10.201.0.1' },
  };
}

const DEPOSIT = 'POST /accounts/{id}/deposit';

/** A deposit that works, `takes` milliseconds long. */
export const deposit = (takes: number): Call =>
  entry(DEPOSIT, takes, 200, [
    call('edge', 'cashier', DEPOSIT, {
      ...{ at: takes * 0.05, takes: takes * 0.9 },
      calls: [
        call('cashier', 'account', 'GET /accounts/{id}', {
          ...{ at: takes * 0.1, takes: takes * 0.3, how: inferred(0.97) },
          calls: [
            call('account', 'customer', 'GET /customers/{id}', { at: takes * 0.15, takes: takes * 0.15 }),
          ],
        }),
        call('cashier', 'transaction', 'POST /transactions', {
          ...{ at: takes * 0.45, takes: takes * 0.4, how: inferred(0.92) },
          calls: [
            call('transaction', 'balance', 'PUT /accounts/{id}/balance', {
              at: takes * 0.5,
              takes: takes * 0.25,
            }),
          ],
        }),
      ],
    }),
  ]);

/** One that fails because the balance cannot be written, `takes` milliseconds long; most of it waiting for that. */
export function failingDeposit(takes: number): Call {
  const root = entry(DEPOSIT, takes, 502, [
    call('edge', 'cashier', DEPOSIT, {
      ...{ at: takes * 0.03, takes: takes * 0.95, status: 502 },
      calls: [
        call('cashier', 'account', 'GET /accounts/{id}', {
          at: takes * 0.05,
          takes: takes * 0.1,
          how: inferred(0.97),
        }),
        call('cashier', 'transaction', 'POST /transactions', {
          ...{ at: takes * 0.17, takes: takes * 0.78, status: 502, how: inferred(0.92) },
          calls: [
            call('transaction', 'balance', 'PUT /accounts/{id}/balance', {
              ...{ at: takes * 0.2, takes: takes * 0.72, status: 503 },
            }),
          ],
        }),
      ],
    }),
  ]);
  const balance = find(root, (each) => each.service === 'balance');
  balance.failed = 'the ledger is locked';
  balance.events = [
    {
      name: 'exception',
      at: balance.at + balance.takes - 1,
      attributes: { 'exception.type': 'LedgerLocked', 'exception.message': 'no lock within 3 attempts' },
    },
  ];
  return root;
}

/** A withdrawal with all that can be wrong: a peer without a sidecar, a lost parent, an unknown cause, other clocks. */
export const withdrawal = (takes: number): Call =>
  entry('POST /accounts/{id}/withdraw', takes, 200, [
    call('edge', 'cashier', 'POST /accounts/{id}/withdraw', {
      ...{ at: 1, takes: takes - 2, clock: 40 },
      calls: [
        {
          ...call('cashier', 'account', 'GET /accounts/{id}', { at: 3, takes: takes * 0.3, clock: -25 }),
          clock: 40,
        },
        {
          service: 'cashier',
          name: 'POST /limits',
          kind: 'client',
          ...{ at: takes * 0.4, takes: takes * 0.2, clock: 40 },
          attributes: { ...http('POST', '/limits', 200), 'server.address': 'mainframe', ...exact },
        },
        {
          ...call('cashier', 'transaction', 'POST /transactions', {
            at: takes * 0.65,
            takes: takes * 0.2,
            how: unknown,
          }),
          clock: 40,
          lostParent: true,
        },
      ],
    }),
  ]);

/** A trace of `spans` spans: one request that fans out, some levels deep. */
export function large(spans: number): Call {
  const root: Call = {
    service: 'edge',
    name: 'POST /statements',
    kind: 'server',
    at: 0,
    takes: spans,
    calls: [],
  };
  const services = ['cashier', 'account', 'customer', 'transaction', 'balance'];
  let parents = [root];
  let made = 1;
  while (made < spans) {
    const next: Call[] = [];
    for (const parent of parents) {
      for (let child = 0; child < 6 && made < spans; child += 1, made += 1) {
        const takes = parent.takes / 7;
        const below: Call = {
          service: services[(made + child) % services.length] ?? 'edge',
          name: `step ${(made * 7) % 23}`,
          kind: 'internal',
          at: parent.at + takes * (child + 0.4),
          takes,
          ...(made % 997 === 0 ? { failed: 'step failed' } : {}),
          calls: [],
        };
        parent.calls?.push(below);
        next.push(below);
      }
    }
    parents = next;
  }
  return root;
}

function find(call: Call, wanted: (call: Call) => boolean): Call {
  const waiting = [call];
  for (let each = waiting.pop(); each; each = waiting.pop()) {
    if (wanted(each)) return each;
    waiting.push(...(each.calls ?? []));
  }
  throw new Error('no such call');
}
