/** Asking the collector. What it refuses is an error that says what was wrong, in the collector's own words. */
import type { components } from './schema.d.ts';

const root = '/api/meshtrace/v1';

type Errors = components['schemas']['Errors']['errors'];

export class Refused extends Error {
  readonly status: number;
  readonly problems: Errors;

  constructor(status: number, problems: Errors) {
    super(problems.map(inWords).join('; '));
    this.status = status;
    this.problems = problems;
  }
}

function inWords({ where, message, allowed }: Errors[number]): string {
  const place = where === undefined ? '' : `${where}: `;
  return place + message + (allowed === undefined ? '' : `; allowed: ${allowed}`);
}

export async function get<Body>(path: string, params?: URLSearchParams, signal?: AbortSignal): Promise<Body> {
  const query = params?.toString() ?? '';
  return ask(query === '' ? path : `${path}?${query}`, signal ? { signal } : {});
}

export async function post<Body>(path: string, body: unknown, signal?: AbortSignal): Promise<Body> {
  return ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

/** The lines of an answer that does not end, as they come; `begun` is told that they will. Returns when the collector ends it. */
export async function follow(
  path: string,
  params: URLSearchParams,
  take: (line: string) => void,
  begun: () => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`${root}${path}?${params.toString()}`, { signal });
  if (!response.ok) throw new Refused(response.status, await problems(response));
  begun();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    const lines = (rest + part.value).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(take);
  }
}

async function ask<Body>(path: string, init: RequestInit): Promise<Body> {
  const response = await fetch(root + path, init);
  if (!response.ok) throw new Refused(response.status, await problems(response));
  return (await response.json()) as Body;
}

async function problems(response: Response): Promise<Errors> {
  const fallback = [{ message: `the collector answered ${response.status} ${response.statusText}` }];
  try {
    const body = (await response.json()) as { errors?: Errors };
    return body.errors?.length ? body.errors : fallback;
  } catch {
    return fallback;
  }
}
