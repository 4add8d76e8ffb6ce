/** Making links. Pure. */

export type Values = Record<string, string | number | readonly string[] | null | undefined>;

/** `path` with those of `values` that say something. Lists repeat their key. */
export function href(path: string, values: Values = {}): string {
  return withQuery(path, apply(new URLSearchParams(), values));
}

/** `params` with `values` set; null or an empty text takes one away, undefined leaves it as it is. */
export function changed(params: URLSearchParams, values: Values): URLSearchParams {
  return apply(new URLSearchParams(params), values);
}

export function withQuery(path: string, params: URLSearchParams): string {
  // spaces as + and the few characters that read better as they are
  const query = params.toString().replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%2C', ',');
  return query === '' ? path : `${path}?${query}`;
}

function apply(params: URLSearchParams, values: Values): URLSearchParams {
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    params.delete(key);
    const list = Array.isArray(value) ? (value as readonly string[]) : [value as string | number | null];
    for (const one of list) if (one !== null && one !== '') params.append(key, String(one));
  }
  return params;
}

export const traceHref = (id: string, values: Values = {}) => href(`/trace/${id}`, values);
