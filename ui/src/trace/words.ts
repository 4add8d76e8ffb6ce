/** What the closed sets of the API say, in words. */
import type { Gap, Link, Span, Trace } from '../api/types.ts';

export const linkWords: Record<Link['kind'], string> = {
  propagated: 'The request carried its context.',
  exact: 'The request carried no context; its cause cannot be another one.',
  inferred: 'The request carried no context; this is its cause with the confidence shown.',
  unknown: 'The request carried no context, and its cause cannot be known.',
};

const methods: Record<string, string> = {
  single: 'only one request was in flight',
  echo: 'an id of the request came back in the call',
  process: 'the same process or thread handled both',
  stage: 'the order of calls within a request',
  learned: 'times learned from earlier requests',
  joint: 'times, weighed over all requests in flight',
};

const reasons: Record<string, string> = {
  background: 'no request was in flight that can have caused it',
  ambiguous: 'several requests were in flight, none likely enough',
  unseen: 'some requests in flight could not be seen',
  too_many: 'too many requests were in flight',
  budget: 'finding out would have cost too much',
  chosen: 'the application began the trace on purpose',
  off: 'the sidecar was told not to look for causes',
  cause_not_sampled: 'its cause was not sampled',
};

/** What the link says of itself besides its kind: how it was found, why not, in which headers. */
export function linkDetail(link: Link): string | undefined {
  if (link.method !== null) return methods[link.method] ?? link.method;
  if (link.reason !== null) return reasons[link.reason] ?? link.reason;
  return link.dialect === null ? undefined : `${link.dialect} headers`;
}

export const gapWords: Record<Gap['reason'], string> = {
  missing_parent: 'parent missing',
  unsampled_parent: 'parent not sampled',
  link_unknown: 'cause unknown',
  encrypted_peer: 'encrypted',
  silent_peer: 'no spans from peer',
  open_span: 'still open',
  attributes_dropped: 'attributes dropped',
};

export const stateWords: Record<Trace['state'], string> = {
  complete: 'complete',
  open: 'open',
  gaps: 'gaps',
};

export const kindWords: Record<Span['kind'], string> = {
  unspecified: 'span',
  internal: 'internal',
  server: 'server',
  client: 'client',
  producer: 'producer',
  consumer: 'consumer',
};

/** A call reads as one: an arrow before the name of what was asked of another. */
export const operationText = ({ kind, operation }: Pick<Span, 'kind' | 'operation'>) =>
  kind === 'client' || kind === 'producer' ? `→ ${operation}` : operation;
