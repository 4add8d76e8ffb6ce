/** One trace as the reader has chosen to look at it: what all views of it share. */
import { useMemo } from 'react';

import type { Gap, Trace } from '../../api/types.ts';
import { hues } from '../../design/hues.ts';
import { confidence, criticalTimes, errors } from '../../trace/blame.ts';
import { find } from '../../trace/find.ts';
import { spanNames } from '../../trace/names.ts';
import { type Clock, type Extent, extent, zoomed } from '../../trace/times.ts';
import { buildTree, type Tree } from '../../trace/tree.ts';
import { useParams } from '../../url/params.ts';
import { useSelection } from './use-selection.ts';

export const shapes = ['waterfall', 'flame', 'table'] as const;
export type Shape = (typeof shapes)[number];
export const filters = ['all', 'critical', 'errors'] as const;
export type Filter = (typeof filters)[number];

export interface View {
  trace: Trace;
  tree: Tree;
  /** How the URL names each span. */
  names: readonly string[];
  hue: (service: string) => string;
  clock: Clock;
  inferred: boolean;
  shape: Shape;
  filter: Filter;
  /** All of the trace's time by that clock, and the part that is looked at. */
  all: Extent;
  window: Extent;
  selected: number | undefined;
  select: (span: number | undefined) => void;
  text: string;
  found: ReadonlySet<number>;
  /** Failed spans, first failure first. */
  errors: readonly number[];
  /** Nanoseconds of the critical path that each span took. */
  waited: readonly number[];
  gaps: ReadonlyMap<number, readonly Gap[]>;
  confidence: (span: number) => number;
  change: ReturnType<typeof useParams>[1];
}

export function useView(trace: Trace): View {
  const [params, change] = useParams();
  const inferred = params.get('inferred') !== 'hidden';
  const clock: Clock = params.get('clock') === 'raw' ? 'raw' : 'adjusted';
  const tree = useMemo(() => buildTree(trace.spans, inferred), [trace, inferred]);
  const names = useMemo(() => spanNames(trace.spans), [trace]);
  const [selected, select] = useSelection(names);
  const all = useMemo(() => extent(trace.spans, clock), [trace, clock]);
  const from = params.get('from');
  const to = params.get('to');
  const window = useMemo(() => zoomed(all, from, to), [all, from, to]);
  const text = params.get('find') ?? '';
  const found = useMemo(() => find(trace, text), [trace, text]);
  const hue = useMemo(() => {
    const colours = hues(trace.services.map(({ name }) => name));
    return (service: string) => colours.get(service) ?? 'var(--muted)';
  }, [trace]);
  const known = useMemo(
    () => ({ errors: errors(trace), waited: criticalTimes(trace), gaps: bySpan(trace.gaps) }),
    [trace],
  );
  return {
    ...{ trace, tree, names, hue, clock, inferred, all, window, selected, select, text, found, change },
    ...known,
    shape: one(shapes, params.get('view')),
    filter: one(filters, params.get('show')),
    confidence: (span) => confidence(trace, tree, span),
  };
}

function bySpan(gaps: readonly Gap[]): Map<number, Gap[]> {
  const lists = new Map<number, Gap[]>();
  for (const gap of gaps) lists.set(gap.span, [...(lists.get(gap.span) ?? []), gap]);
  return lists;
}

const one = <Word extends string>(words: readonly [Word, ...Word[]], said: string | null): Word =>
  words.find((word) => word === said) ?? words[0];
