/** Finding spans of a trace by text. Pure. */
import type { Attribute, Span, Trace } from '../api/types.ts';

/** Spans in whose service, name, id, message, attributes or events the text stands, whatever the case. */
export function find(trace: Trace, text: string): Set<number> {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return new Set();
  return new Set([...trace.spans.keys()].filter((index) => contains(trace.spans[index], wanted)));
}

function contains(span: Span | undefined, wanted: string): boolean {
  if (!span) return false;
  const has = (text: string) => text.toLowerCase().includes(wanted);
  return (
    [span.service, span.operation, span.spanId, span.status.message].some(has) ||
    span.attributes.some((attribute) => has(attributeText(attribute))) ||
    span.events.some((event) => has(event.name) || event.attributes.some((each) => has(attributeText(each))))
  );
}

/** `key=value` as a search writes it. */
export const attributeText = ({ key, value }: Attribute) => `${key}=${valueText({ value })}`;

export const valueText = ({ value }: Pick<Attribute, 'value'>): string =>
  typeof value === 'string' ? value : value == null ? '' : JSON.stringify(value);
