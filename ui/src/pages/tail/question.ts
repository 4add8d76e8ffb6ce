/** What is followed, as the URL has it and as the collector is asked. Pure. The names are those of the API. */

const fields = ['service', 'operation', 'kind', 'status', 'linkKind', 'minDuration', 'maxDuration'] as const;
export type Field = (typeof fields)[number];

export type Draft = Record<Field, string> & { where: string[]; roots: boolean };

export function draftOf(params: URLSearchParams): Draft {
  const said = Object.fromEntries(fields.map((field) => [field, params.get(field) ?? '']));
  const where = params.getAll('where');
  return { ...(said as Record<Field, string>), where, roots: params.get('roots') === 'true' };
}

/** What the URL says for a draft, and the collector is asked. */
export function paramsOf(draft: Draft): URLSearchParams {
  const params = new URLSearchParams();
  for (const field of fields) if (draft[field].trim() !== '') params.set(field, draft[field].trim());
  for (const condition of draft.where) if (condition.trim() !== '') params.append('where', condition.trim());
  if (draft.roots) params.set('roots', 'true');
  return params;
}
