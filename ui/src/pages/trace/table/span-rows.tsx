import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';

import { Badge } from '../../../design/badge.tsx';
import { ServiceName } from '../../../design/service.tsx';
import { duration } from '../../../format/duration.ts';
import { percent } from '../../../format/number.ts';
import { begin } from '../../../trace/times.ts';
import { operationText } from '../../../trace/words.ts';
import type { View } from '../view.ts';
import { Heads } from './heads.tsx';
import { type Column, sorted, type Sorting } from './sort.ts';

const ROW = 28;

/** A line for each span that the filter lets through; failed ones first. */
export function SpanRows({ view }: { view: View }) {
  const { trace, clock, waited, filter, text, found } = view;
  const [sorting, setSorting] = useState<Sorting>({ column: 'failed', reversed: false });
  const columns = useMemo((): Column<number>[] => {
    const of = (index: number) => trace.spans[index];
    const number = (id: string, title: string, value: (index: number) => number) => ({
      id,
      title,
      value,
      numeric: true,
    });
    return [
      { id: 'service', title: 'Service', value: (index) => of(index)?.service ?? '' },
      { id: 'operation', title: 'Operation', value: (index) => of(index)?.operation ?? '' },
      number('failed', 'Failed', (index) => (of(index)?.status.code === 'error' ? 1 : 0)),
      { id: 'start', title: 'Start', value: (index) => startOf(view, index) },
      number('duration', 'Duration', (index) => of(index)?.duration ?? 0),
      number('self', 'Self time', (index) => of(index)?.selfTime ?? 0),
      number('critical', 'Critical', (index) => waited[index] ?? 0),
      { id: 'link', title: 'Link', value: (index) => of(index)?.link?.kind ?? '' },
    ];
    // what `startOf` looks at is the clock
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [trace, waited, clock]);
  const lines = useMemo(() => {
    const wanted = [...trace.spans.keys()].filter(
      (index) =>
        (filter !== 'critical' || trace.spans[index]?.critical) &&
        (filter !== 'errors' || trace.spans[index]?.status.code === 'error') &&
        (text === '' || found.has(index)),
    );
    return sorted(wanted, columns, sorting);
  }, [trace, columns, sorting, filter, text, found]);
  const body = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: lines.length,
    getScrollElement: () => body.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const at = view.selected === undefined ? -1 : lines.indexOf(view.selected);
  useEffect(() => {
    if (at >= 0) list.scrollToIndex(at, { align: 'auto' });
  }, [at, list]);
  const rows = list.getVirtualItems();
  const above = rows[0]?.start ?? 0;
  const below = list.getTotalSize() - (rows.at(-1)?.end ?? 0);
  return (
    <div className="span-table-body" ref={body}>
      <table aria-rowcount={lines.length + 1}>
        <Heads columns={columns} sorting={sorting} onSort={setSorting} />
        <tbody>
          {above > 0 && <tr aria-hidden="true" style={{ height: above }} />}
          {rows.map(({ index }) => (
            <SpanLine key={lines[index]} view={view} index={lines[index] ?? 0} place={index} />
          ))}
          {below > 0 && <tr aria-hidden="true" style={{ height: below }} />}
        </tbody>
      </table>
    </div>
  );
}

function SpanLine({ view, index, place }: { view: View; index: number; place: number }) {
  const span = view.trace.spans[index];
  if (!span) return null;
  const waited = view.waited[index] ?? 0;
  return (
    <tr
      className={index === view.selected ? 'is-selected' : undefined}
      aria-rowindex={place + 2}
      style={{ height: ROW }}
    >
      <td>
        <ServiceName name={span.service} hue={view.hue(span.service)} />
      </td>
      <td>
        <button type="button" className="plain name" onClick={() => view.select(index)}>
          {operationText(span)}
        </button>
      </td>
      <td className="number">{span.status.code === 'error' && <Badge tone="failed">✕ failed</Badge>}</td>
      <td className="nowrap">+{duration(begin(span, view.clock) - view.all.from)}</td>
      <td className="number">{duration(span.duration)}</td>
      <td className="number">{duration(span.selfTime)}</td>
      <td className="number">{waited > 0 ? duration(waited) : ''}</td>
      <td className="nowrap">
        {span.link?.kind}
        {span.link?.kind === 'inferred' && ` ${percent(span.link.confidence)}`}
      </td>
    </tr>
  );
}

function startOf({ trace, clock }: View, index: number): number {
  const span = trace.spans[index];
  return span ? begin(span, clock) : 0;
}
