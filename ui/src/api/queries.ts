/** What the pages ask, each with its key and how long an answer is good for. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';

import { get, post } from './client.ts';
import type {
  Comparison,
  Found,
  Graph,
  Group,
  Mesh,
  Operations,
  Overview,
  PropagationReport,
  Services,
  Trace,
} from './types.ts';

/** How often a live view asks again. The collector counts in steps of ten seconds. */
const LIVE = 5_000;
/** Traces that the scatter of a search shows at most. */
export const SCATTER_LIMIT = 1000;

function live<Body>(path: string, values: Record<string, string | null>) {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value) params.set(key, value);
  return queryOptions({
    queryKey: [path, params.toString()],
    queryFn: ({ signal }) => get<Body>(path, params, signal),
    // a window that ends at a given time does not change any more
    refetchInterval: values.end ? false : LIVE,
    placeholderData: keepPreviousData,
  });
}

export interface Window {
  window: string | null;
  end: string | null;
}

const within = ({ window, end }: Window) => ({ window, end });

export const overview = (window: Window) => live<Overview>('/overview', within(window));
export const graph = (window: Window) => live<Graph>('/graph', within(window));
export const mesh = (window: Window) => live<Mesh>('/mesh', within(window));
export const propagation = (window: Window) => live<PropagationReport>('/propagation', within(window));
export const busiest = (order: 'errors' | 'p95', window: Window) =>
  live<Operations>('/operations', { order, limit: '50', ...within(window) });

export const services = () =>
  queryOptions({
    queryKey: ['/services'],
    queryFn: ({ signal }) => get<Services>('/services', undefined, signal),
    staleTime: 30_000,
  });

export const operationsOf = (service: string) =>
  queryOptions({
    queryKey: ['/operations', service],
    queryFn: ({ signal }) =>
      get<Operations>('/operations', new URLSearchParams({ service, limit: '1000' }), signal),
    staleTime: 30_000,
    enabled: service !== '',
  });

export const search = (params: URLSearchParams) =>
  queryOptions({
    queryKey: ['/traces', params.toString()],
    queryFn: ({ signal }) => get<Found>('/traces', params, signal),
    placeholderData: keepPreviousData,
  });

export const trace = (id: string) =>
  queryOptions({
    queryKey: ['/traces', id, 'whole'],
    queryFn: ({ signal }) => get<Trace>(`/traces/${encodeURIComponent(id)}`, undefined, signal),
    // an open trace may still grow
    refetchInterval: ({ state }) => (state.data?.state === 'open' ? LIVE : false),
    staleTime: 60_000,
  });

export const comparison = (a: Group, b: Group) =>
  queryOptions({
    queryKey: ['/analysis/compare', a, b],
    queryFn: ({ signal }) => post<Comparison>('/analysis/compare', { a, b }, signal),
  });
