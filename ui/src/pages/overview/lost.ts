import type { Counted, Workload } from '../../api/types.ts';

/** What the sidecars of all workloads lost, by reason; undefined where none has said anything. Pure. */
export function lost(workloads: readonly Workload[]): Counted[] | undefined {
  const told = workloads.flatMap(({ losses }) => (losses === null ? [] : [losses]));
  if (told.length === 0) return undefined;
  const counts = new Map<string, number>();
  for (const { name, count } of told.flat()) counts.set(name, (counts.get(name) ?? 0) + count);
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count);
}
