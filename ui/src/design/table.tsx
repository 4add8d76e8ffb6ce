import type { ReactNode } from 'react';

/** One column of a table: its head, and what each line shows below it. */
export interface Column<Line> {
  head: string;
  cell: (line: Line) => ReactNode;
  /** Numbers stand below each other, to the right. */
  numeric?: boolean;
  /** What is drawn needs a head only where it cannot be seen. */
  drawn?: boolean;
  /** Classes of the cells. */
  className?: string;
  /** What a cell says to who points at it. */
  hint?: (line: Line) => string | undefined;
}

interface Props<Line> {
  columns: readonly Column<Line>[];
  lines: readonly Line[];
  id: (line: Line) => string;
  className?: string;
  isSelected?: (line: Line) => boolean;
}

/** Lines of which every column is told once. */
export function Table<Line>({ columns, lines, id, className, isSelected }: Props<Line>) {
  return (
    <table className={className}>
      <thead>
        <tr>
          {columns.map(({ head, numeric, drawn }) => (
            <th key={head} scope="col" className={numeric ? 'number' : undefined}>
              {drawn ? <span className="hidden-visually">{head}</span> : head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <tr key={id(line)} className={isSelected?.(line) ? 'is-selected' : undefined}>
            {columns.map(({ head, cell, numeric, className, hint }) => (
              <td key={head} className={numeric ? 'number' : className} title={hint?.(line)}>
                {cell(line)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
