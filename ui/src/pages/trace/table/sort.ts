/** Sorting by a column. Pure. */

export interface Column<Line> {
  id: string;
  title: string;
  /** What is compared; numbers largest first at first, texts smallest. */
  value: (line: Line) => number | string;
  numeric?: boolean;
}

export interface Sorting {
  column: string;
  reversed: boolean;
}

/** The sorting after a click on `column`: another column, or the other way round. */
export const clicked = (now: Sorting, column: string): Sorting => ({
  column,
  reversed: now.column === column && !now.reversed,
});

export function sorted<Line>(lines: readonly Line[], columns: readonly Column<Line>[], by: Sorting): Line[] {
  const column = columns.find(({ id }) => id === by.column);
  if (!column) return [...lines];
  const turn = (column.numeric ? -1 : 1) * (by.reversed ? -1 : 1);
  return lines.toSorted((a, b) => {
    const [left, right] = [column.value(a), column.value(b)];
    return left === right ? 0 : turn * (left < right ? -1 : 1);
  });
}
