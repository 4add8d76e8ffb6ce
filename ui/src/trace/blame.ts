/** Where to look first in a trace. Pure. */
import type { Span, Trace } from '../api/types.ts';
import { ancestors, type Tree } from './tree.ts';

export interface Blame {
  /** Where errors begin: of the failed spans without a failed one below, the one that the trace waited for longest. */
  failed: number | undefined;
  /** The span that the trace waited for longest. */
  slowest: number | undefined;
}

const failed = (span: Span | undefined) => span?.status.code === 'error';

export function blame(trace: Trace, tree: Tree): Blame {
  const waited = criticalTimes(trace);
  const origins = trace.spans.flatMap((span, index) => {
    const below = tree.children[index] ?? [];
    return failed(span) && !below.some((child) => failed(trace.spans[child])) ? [index] : [];
  });
  const own = (index: number) => trace.spans[index]?.selfTime ?? 0;
  const more = (a: number, b: number) => (waited[a] ?? 0) - (waited[b] ?? 0) || own(a) - own(b);
  const worst = (spans: number[]) =>
    spans.reduce<number | undefined>(
      (best, span) => (best === undefined || more(span, best) > 0 ? span : best),
      undefined,
    );
  return { failed: worst(origins), slowest: worst([...waited.keys()]) };
}

/** What a failed span says went wrong: its message, else the kind of error. */
export function failure({ status, attributes }: Span): string {
  const type = attributes.find(({ key }) => key === 'error.type')?.value;
  return status.message || (typeof type === 'string' ? type : '');
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
