/** Where to look first in a trace. Pure. */
import type { Span, Trace } from '../api/types.ts';
import { ancestors, type Tree } from './tree.ts';

export interface Responsible {
  span: number;
  why: 'failed' | 'slow';
}

const failed = (span: Span | undefined) => span?.status.code === 'error';

/**
 * In a trace with errors, where they begin: of the failed spans without a failed one below, that on the critical path
 * with the most time of its own. Otherwise the span that the trace waited for longest.
 */
export function responsible(trace: Trace, tree: Tree): Responsible | undefined {
  const waited = criticalTimes(trace);
  const origins = trace.spans.flatMap((span, index) => {
    const below = tree.children[index] ?? [];
    return failed(span) && !below.some((child) => failed(trace.spans[child])) ? [index] : [];
  });
  const weight = (index: number) => waited[index] ?? 0;
  const own = (index: number) => trace.spans[index]?.selfTime ?? 0;
  const worst = (spans: number[]) =>
    spans.reduce<number | undefined>((best, span) => {
      if (best === undefined) return span;
      const more = weight(span) - weight(best) || own(span) - own(best);
      return more > 0 ? span : best;
    }, undefined);
  const origin = worst(origins);
  if (origin !== undefined) return { span: origin, why: 'failed' };
  const slowest = worst([...waited.keys()]);
  return slowest === undefined ? undefined : { span: slowest, why: 'slow' };
}

/** Nanoseconds of the critical path that each span took. */
export function criticalTimes(trace: Trace): number[] {
  const times = new Array<number>(trace.spans.length).fill(0);
  for (const { span, duration } of trace.criticalPath) times[span] = (times[span] ?? 0) + duration;
  return times;
}

/** That all links from the trace's beginning down to this span are right. */
export function confidence(trace: Trace, tree: Tree, span: number): number {
  return [span, ...ancestors(tree, span)].reduce(
    (product, each) => product * (trace.spans[each]?.link?.confidence ?? 1),
    1,
  );
}

/** Failed spans in the order of time: what failed first comes first. */
export function errors(trace: Trace): number[] {
  const at = (index: number) => {
    const span = trace.spans[index];
    return span ? span.adjustedOffset + span.duration : 0;
  };
  const all = [...trace.spans.keys()].filter((index) => failed(trace.spans[index]));
  return all.sort((a, b) => at(a) - at(b));
}
