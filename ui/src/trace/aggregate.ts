/** A trace's time by operation, and as a flame graph. Pure; nanoseconds. */
import type { Span, Trace } from '../api/types.ts';
import { criticalTimes } from './blame.ts';
import type { Tree } from './tree.ts';

export interface OperationTime {
  service: string;
  operation: string;
  kind: Span['kind'];
  spans: number;
  errors: number;
  total: number;
  self: number;
  critical: number;
  longest: number;
  /** The longest one of its spans. */
  span: number;
}

/** One line for each operation, that with the most time of its own first. */
export function byOperation(trace: Trace): OperationTime[] {
  const waited = criticalTimes(trace);
  const lines = new Map<string, OperationTime>();
  trace.spans.forEach((span, index) => {
    const key = JSON.stringify([span.service, span.operation, span.kind]);
    const { service, operation, kind } = span;
    const line = lines.get(key) ?? {
      ...{
        service,
        operation,
        kind,
        spans: 0,
        errors: 0,
        total: 0,
        self: 0,
        critical: 0,
        longest: -1,
        span: index,
      },
    };
    lines.set(key, line);
    line.spans += 1;
    line.errors += span.status.code === 'error' ? 1 : 0;
    line.total += span.duration;
    line.self += span.selfTime;
    line.critical += waited[index] ?? 0;
    if (span.duration > line.longest) [line.longest, line.span] = [span.duration, index];
  });
  return [...lines.values()].sort((a, b) => b.self - a.self);
}

/** All spans that came about in the same way: one box of the flame graph. */
export interface Frame {
  service: string;
  operation: string;
  spans: number;
  errors: number;
  /** Time of its own and of everything above it in the graph. */
  total: number;
  self: number;
  /** The longest one of its spans. */
  span: number;
  depth: number;
  /** From 0 to 1 of the graph's width. */
  from: number;
  width: number;
  parent: Frame | undefined;
  children: Frame[];
}

/** Spans with the same path of services and operations are one frame, as wide as their own time and that below. */
export function flame(trace: Trace, tree: Tree): Frame[] {
  const roots: Frame[] = [];
  const frames = new Map<number, Frame>();
  const all: Frame[] = [];
  for (const index of tree.order) {
    const span = trace.spans[index];
    if (!span) continue;
    const parent = frames.get(tree.parent[index] ?? -1);
    const siblings = parent?.children ?? roots;
    let frame = siblings.find((each) => each.service === span.service && each.operation === span.operation);
    if (!frame) {
      const { service, operation } = span;
      const depth = parent ? parent.depth + 1 : 0;
      frame = { ...{ service, operation, depth, parent, span: index, spans: 0, errors: 0 }, ...empty() };
      siblings.push(frame);
      all.push(frame);
    }
    frames.set(index, frame);
    frame.spans += 1;
    frame.errors += span.status.code === 'error' ? 1 : 0;
    frame.self += span.selfTime;
    if (span.duration > (trace.spans[frame.span]?.duration ?? 0)) frame.span = index;
  }
  for (const frame of all.toReversed()) {
    frame.total += frame.self;
    if (frame.parent) frame.parent.total += frame.total;
  }
  place(roots, 0, roots.reduce((sum, root) => sum + root.total, 0) || 1);
  for (const frame of all)
    place(frame.children, frame.from, frame.width === 0 ? 1 : frame.total / frame.width);
  return all;
}

const empty = () => ({ total: 0, self: 0, from: 0, width: 0, children: [] });

function place(frames: Frame[], from: number, unit: number): void {
  let at = from;
  for (const frame of frames.sort((a, b) => b.total - a.total)) {
    frame.from = at;
    frame.width = frame.total / unit;
    at += frame.width;
  }
}
