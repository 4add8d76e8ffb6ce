import { useMemo, useState } from 'react';

import { ServiceName } from '../../../design/service.tsx';
import { duration } from '../../../format/duration.ts';
import { count } from '../../../format/number.ts';
import { byOperation, type OperationTime } from '../../../trace/aggregate.ts';
import { operationText } from '../../../trace/words.ts';
import type { View } from '../view.ts';
import { Heads } from './heads.tsx';
import { type Column, sorted } from './sort.ts';

const columns: Column<OperationTime>[] = [
  { id: 'service', title: 'Service', value: ({ service }) => service },
  { id: 'operation', title: 'Operation', value: ({ operation }) => operation },
  { id: 'spans', title: 'Spans', value: ({ spans }) => spans, numeric: true },
  { id: 'errors', title: 'Errors', value: ({ errors }) => errors, numeric: true },
  { id: 'self', title: 'Self time', value: ({ self }) => self, numeric: true },
  { id: 'critical', title: 'Critical', value: ({ critical }) => critical, numeric: true },
  { id: 'total', title: 'Total', value: ({ total }) => total, numeric: true },
  { id: 'longest', title: 'Longest', value: ({ longest }) => longest, numeric: true },
];

/** A line for each operation. Selecting one selects its longest span. */
export function OperationRows({ view }: { view: View }) {
  const [sorting, setSorting] = useState({ column: 'self', reversed: false });
  const lines = useMemo(() => byOperation(view.trace), [view.trace]);
  return (
    <div className="span-table-body">
      <table>
        <Heads columns={columns} sorting={sorting} onSort={setSorting} />
        <tbody>
          {sorted(lines, columns, sorting).map((line) => (
            <tr
              key={`${line.service} ${line.kind} ${line.operation}`}
              className={line.span === view.selected ? 'is-selected' : undefined}
            >
              <td>
                <ServiceName name={line.service} hue={view.hue(line.service)} />
              </td>
              <td>
                <button type="button" className="plain name" onClick={() => view.select(line.span)}>
                  {operationText(line)}
                </button>
              </td>
              <td className="number">{count(line.spans)}</td>
              <td className={`number ${line.errors > 0 ? 'failed' : ''}`}>{count(line.errors)}</td>
              <td className="number">{duration(line.self)}</td>
              <td className="number">{duration(line.critical)}</td>
              <td className="number">{duration(line.total)}</td>
              <td className="number">{duration(line.longest)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
