import { clicked, type Column, type Sorting } from './sort.ts';

interface Props<Line> {
  columns: readonly Column<Line>[];
  sorting: Sorting;
  onSort: (sorting: Sorting) => void;
}

/** Column heads that sort. */
export function Heads<Line>({ columns, sorting, onSort }: Props<Line>) {
  return (
    <thead>
      <tr>
        {columns.map(({ id, title, numeric }) => {
          const isIt = sorting.column === id;
          const falling = isIt && Boolean(numeric) !== sorting.reversed;
          return (
            <th
              key={id}
              scope="col"
              className={numeric ? 'number' : undefined}
              aria-sort={isIt ? (falling ? 'descending' : 'ascending') : undefined}
            >
              <button type="button" className="sorter" onClick={() => onSort(clicked(sorting, id))}>
                {title} {isIt && <span aria-hidden="true">{falling ? '↓' : '↑'}</span>}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
