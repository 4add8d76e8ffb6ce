/** How the URL names a span. Pure. */
import type { Span } from '../api/types.ts';

/** Its id, and its kind as well for the second of two with one id, as a client and a server of Zipkin's have. */
export function spanNames(spans: readonly Span[]): string[] {
  const seen = new Set<string>();
  return spans.map(({ spanId, kind }) => {
    const name = seen.has(spanId) ? `${spanId}:${kind}` : spanId;
    seen.add(spanId);
    return name;
  });
}
