/** Spans as OTLP's JSON has them, made from a tree of calls. */

const MILLISECOND = 1_000_000n;

export interface Call {
  service: string;
  name: string;
  kind: 'internal' | 'server' | 'client';
  /** Milliseconds after the trace's start. */
  at: number;
  /** Milliseconds. */
  takes: number;
  attributes?: Record<string, string | number | boolean>;
  /** What went wrong. */
  failed?: string;
  events?: { name: string; at: number; attributes?: Record<string, string> }[];
  /** A parent that nobody has sent. */
  lostParent?: boolean;
  /** How far the clock of its sender is ahead, in milliseconds. */
  clock?: number;
  calls?: Call[];
}

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  [field: string]: unknown;
}

const kinds = { internal: 1, server: 2, client: 3 } as const;

/** Every span of the tree, by service, as one export request. `start` is in nanoseconds since the Unix epoch. */
export function request(traceId: string, start: bigint, root: Call): object {
  const services = new Map<string, OtlpSpan[]>();
  const add = (call: Call, parent: string | undefined) => {
    const id = spanId(services);
    const spans = services.get(call.service) ?? [];
    services.set(call.service, spans);
    spans.push(span(traceId, id, call.lostParent ? 'feedfacefeedface' : parent, start, call));
    for (const below of call.calls ?? []) add(below, id);
  };
  add(root, undefined);
  return {
    resourceSpans: [...services].map(([service, spans]) => ({
      resource: { attributes: attributes(resource(service)) },
      scopeSpans: [{ scope: { name: 'meshtrace-sidecar', version: '0.1.0' }, spans }],
    })),
  };
}

function span(traceId: string, id: string, parent: string | undefined, start: bigint, call: Call): OtlpSpan {
  const at = (milliseconds: number) =>
    String(start + (BigInt(Math.round((milliseconds + (call.clock ?? 0)) * 1000)) * MILLISECOND) / 1000n);
  return {
    traceId,
    spanId: id,
    ...(parent === undefined ? {} : { parentSpanId: parent }),
    name: call.name,
    kind: kinds[call.kind],
    // sampled
    flags: 1,
    startTimeUnixNano: at(call.at),
    endTimeUnixNano: at(call.at + call.takes),
    attributes: attributes(call.attributes ?? {}),
    events: (call.events ?? []).map((event) => ({
      name: event.name,
      timeUnixNano: at(event.at),
      attributes: attributes(event.attributes ?? {}),
    })),
    status: call.failed === undefined ? {} : { code: 2, message: call.failed },
  };
}

const resource = (service: string) => ({
  'service.name': service,
  'service.instance.id': `${service}-7d9c4-x2x`,
  'k8s.namespace.name': 'bank',
  'telemetry.sdk.name': 'meshtrace',
});

function attributes(values: Record<string, string | number | boolean>): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Counts up: ids need to be different, not unpredictable. */
function spanId(services: Map<string, OtlpSpan[]>): string {
  let number = 1;
  for (const spans of services.values()) number += spans.length;
  return `a${number.toString(16).padStart(15, '0')}`;
}
