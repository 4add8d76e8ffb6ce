/** One side of a comparison: traces by their ids, or those of a search, as the URL has it. Pure. */
import type { components } from '../../api/schema.d.ts';
import type { Group } from '../../api/types.ts';

type Search = components['schemas']['Search'];
type Condition = components['schemas']['Condition'];

/** Traces of a search that are looked at. */
export const LOOKED_AT = 200;

/** Ids, separated by commas or spaces; or the query of a search page. Undefined if it is neither. */
export function group(text: string): Group | undefined {
  const said = text.trim().replace(/^.*\?/, '');
  if (said === '') return undefined;
  const ids = said.split(/[\s,]+/);
  if (ids.every((id) => /^[0-9a-f]{32}$/i.test(id))) return { traceIds: ids.map((id) => id.toLowerCase()) };
  return said.includes('=') ? { search: searchOf(new URLSearchParams(said)) } : undefined;
}

/** The body that asks for what the query of a search page asks for. */
export function searchOf(params: URLSearchParams): Search {
  const search: Record<string, unknown> = { limit: LOOKED_AT };
  for (const name of [
    'service',
    'operation',
    'kind',
    'status',
    'linkKind',
    'start',
    'end',
    'lookback',
    'traceId',
    'order',
  ]) {
    const value = params.get(name);
    if (value !== null && value !== '' && value !== 'all') search[name] = value;
  }
  const bounds = (name: string, min: string | null, max: string | null) => {
    if (min !== null || max !== null)
      search[name] = { ...(min !== null && { min }), ...(max !== null && { max }) };
  };
  bounds('duration', params.get('minDuration'), params.get('maxDuration'));
  bounds('traceDuration', params.get('minTraceDuration'), params.get('maxTraceDuration'));
  const where = params.getAll('where').map(condition);
  if (where.length > 0) search.where = where;
  return search as Search;
}

/** `key=value`, `key>=500`, or `key` alone. */
export function condition(text: string): Condition {
  const match = /^([^=<>]+)(>=|<=|=|>|<)(.*)$/s.exec(text);
  const [, key, op, value] = match ?? [];
  if (key === undefined || op === undefined || value === undefined) return { key: text.trim(), op: 'exists' };
  return { key: key.trim(), op: op as NonNullable<Condition['op']>, value: value.trim() };
}

/** The sides before and after a moment: the same search, as long a time on each side of it. */
export function beforeAndAfter(query: string, at: bigint, length: bigint): { a: string; b: string } {
  const within = (start: bigint, end: bigint) => {
    const params = new URLSearchParams(query.replace(/^.*\?/, ''));
    params.delete('lookback');
    params.set('start', String(start));
    params.set('end', String(end));
    return params.toString();
  };
  return { a: within(at - length, at), b: within(at, at + length) };
}
