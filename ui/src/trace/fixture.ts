/** Spans for tests: only what a test says, the rest as plain as can be. */
import type { Span, Trace } from '../api/types.ts';

export function span(values: Partial<Span> = {}): Span {
  const duration = values.duration ?? 10;
  return {
    spanId: '00000000000000aa',
    parentId: null,
    parent: null,
    depth: 0,
    provisionalTraceId: null,
    resource: 0,
    service: 'edge',
    operation: 'GET /',
    kind: 'server',
    start: '1700000000000000000',
    offset: 0,
    duration,
    adjustedOffset: values.offset ?? 0,
    selfTime: duration,
    critical: false,
    status: { code: 'unset', message: '' },
    link: null,
    scope: { name: '', version: '' },
    attributes: [],
    events: [],
    links: [],
    warnings: [],
    ...values,
  };
}

export const failed: Pick<Span, 'status'> = { status: { code: 'error', message: 'no' } };

export const linked = (kind: NonNullable<Span['link']>['kind'], confidence = 1): Pick<Span, 'link'> => ({
  link: { kind, confidence, method: null, reason: null, dialect: null },
});

export function trace(spans: Span[], values: Partial<Trace> = {}): Trace {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    provisionalTraceIds: [],
    start: '1700000000000000000',
    duration: 100,
    state: 'complete',
    confidence: 1,
    services: [],
    resources: [],
    gaps: [],
    clockSkew: [],
    criticalPath: [],
    spans,
    ...values,
  };
}
