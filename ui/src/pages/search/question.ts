/** A search as the URL has it and as the collector is asked. Pure. The names are those of the API. */

/** Fields that hold one text each. */
export const fields = [
  'service',
  'operation',
  'kind',
  'status',
  'linkKind',
  'minDuration',
  'maxDuration',
  'minTraceDuration',
  'maxTraceDuration',
  'traceId',
  'lookback',
  'start',
  'end',
] as const;
export type Field = (typeof fields)[number];

export type Draft = Record<Field, string> & { where: string[] };

/** How far back a search looks that does not say. */
export const LOOKBACK = '1h';
/** What stands for no limit in the URL. */
export const EVER = 'all';
/** Traces on a page. */
export const PAGE = 50;

export const orders = {
  time: 'Latest',
  duration: 'Longest trace',
  'span-duration': 'Longest matching span',
  errors: 'Most errors',
  spans: 'Most spans',
} as const;
export type Order = keyof typeof orders;

export const orderOf = (params: URLSearchParams): Order => {
  const order = params.get('order');
  return order !== null && order in orders ? (order as Order) : 'time';
};

export function draftOf(params: URLSearchParams): Draft {
  const said = Object.fromEntries(fields.map((field) => [field, params.get(field) ?? ''])) as Record<
    Field,
    string
  >;
  if (said.lookback === '' && said.start === '') said.lookback = LOOKBACK;
  return { ...said, where: params.getAll('where') };
}

/** What the URL says for a draft: a start takes the place of a lookback, and what is usual is left out. */
export function paramsOf(draft: Draft, order: Order): URLSearchParams {
  const params = new URLSearchParams();
  for (const field of fields) {
    const value = draft[field].trim();
    if (value === '' || (field === 'lookback' && (value === LOOKBACK || draft.start !== ''))) continue;
    params.set(field, value);
  }
  for (const condition of draft.where) if (condition.trim() !== '') params.append('where', condition.trim());
  if (order !== 'time') params.set('order', order);
  return params;
}

/** What to ask for one page of results. */
export function question(params: URLSearchParams): URLSearchParams {
  const asked = filters(params);
  asked.set('order', orderOf(params));
  asked.set('limit', String(PAGE));
  const cursor = params.get('cursor');
  if (cursor !== null) asked.set('cursor', cursor);
  return asked;
}

/** What to ask for the scatter: the same traces, whatever the page. */
export function scatterQuestion(params: URLSearchParams, limit: number): URLSearchParams {
  const asked = filters(params);
  asked.set('order', orderOf(params));
  asked.set('limit', String(limit));
  return asked;
}

function filters(params: URLSearchParams): URLSearchParams {
  const asked = paramsOf(draftOf(params), 'time');
  const lookback = draftOf(params).lookback;
  asked.delete('lookback');
  if (!asked.has('start') && lookback !== EVER) asked.set('lookback', lookback);
  return asked;
}

/** What narrows the search down, for saying what could be left out. */
export function narrowing(params: URLSearchParams): string[] {
  const { where, ...draft } = draftOf(params);
  const said = fields.filter((field) => field !== 'lookback' && draft[field] !== '');
  return where.length > 0 ? [...said, 'where'] : [...said];
}
