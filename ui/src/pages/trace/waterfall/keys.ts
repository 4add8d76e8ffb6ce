/** What keys do in the tree of spans. Pure; after the treegrid pattern of the ARIA authoring practices. */
import type { Tree } from '../../../trace/tree.ts';

export interface Where {
  tree: Tree;
  /** The spans that are shown, in order. */
  rows: readonly number[];
  collapsed: ReadonlySet<number>;
  active: number | undefined;
  /** Rows that fit. */
  page: number;
}

export type Move = { go: number } | { collapse: number } | { expand: number } | undefined;

export function move(key: string, { tree, rows, collapsed, active, page }: Where): Move {
  const first = rows[0];
  if (first === undefined) return undefined;
  const at = active === undefined ? -1 : rows.indexOf(active);
  const to = (row: number): Move => ({ go: rows[Math.max(0, Math.min(row, rows.length - 1))] ?? first });
  switch (key) {
    case 'ArrowDown':
      return to(at + 1);
    case 'ArrowUp':
      return to(at - 1);
    case 'PageDown':
      return to(at + page);
    case 'PageUp':
      return to(at - page);
    case 'Home':
      return to(0);
    case 'End':
      return to(rows.length - 1);
  }
  if (active === undefined) return undefined;
  const parent = tree.parent[active] ?? -1;
  const child = tree.children[active]?.[0];
  switch (key) {
    case 'ArrowRight':
      if (child === undefined) return undefined;
      return collapsed.has(active) ? { expand: active } : { go: child };
    case 'ArrowLeft':
      if (child !== undefined && !collapsed.has(active)) return { collapse: active };
      return parent < 0 ? undefined : { go: parent };
    default:
      return undefined;
  }
}
