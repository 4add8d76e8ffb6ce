import './waterfall.css';

import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { begin } from '../../../trace/times.ts';
import { ancestors, visible } from '../../../trace/tree.ts';
import type { View } from '../view.ts';
import { Axis } from './axis.tsx';
import { Divider } from './divider.tsx';
import { HelpKeys } from './help-keys.tsx';
import { move } from './keys.ts';
import { Minimap } from './minimap.tsx';
import { rowId, SpanRow } from './row.tsx';

/** Height of a row; waterfall.css has it too. */
const ROW = 26;
/** On a screen narrower than this, in CSS pixels, the names get half of it. */
const NARROW = 760;
/** Rows beyond what is seen that stay in the document, so that scrolling shows no holes. */
const OVERSCAN = 12;

/** The tree of spans beside their times. Only rows that can be seen are in the document. */
export function Waterfall({ view }: { view: View }) {
  const { trace, tree, selected, select, filter, errors } = view;
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const [share, setShare] = useState(() => (globalThis.innerWidth < NARROW ? 0.5 : 0.38));
  const only = useMemo(() => {
    if (filter === 'critical')
      return new Set(trace.spans.keys().filter((span) => trace.spans[span]?.critical));
    return filter === 'errors' ? new Set(errors) : undefined;
  }, [filter, trace, errors]);
  const rows = useMemo(() => visible(tree, collapsed, only), [tree, collapsed, only]);
  const body = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => body.current,
    estimateSize: () => ROW,
    overscan: OVERSCAN,
  });
  const segments = useMemo(() => criticalSegments(trace), [trace]);

  // what is selected elsewhere (a link, the find field, another view) is shown here, its ancestors opened
  const row = selected === undefined ? -1 : rows.indexOf(selected);
  const hiddenBy =
    selected !== undefined && row < 0 ? ancestors(tree, selected).filter((each) => collapsed.has(each)) : [];
  if (hiddenBy.length > 0) setCollapsed(new Set([...collapsed].filter((each) => !hiddenBy.includes(each))));
  useEffect(() => {
    if (row >= 0) list.scrollToIndex(row, { align: 'auto' });
  }, [row, list]);

  const toggle = useCallback((span: number) => {
    setCollapsed((before) => {
      const after = new Set(before);
      if (!after.delete(span)) after.add(span);
      return after;
    });
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((body.current?.clientHeight ?? 0) / ROW) - 1);
    const moved = move(event.key, { tree, rows, collapsed, active: selected, page });
    if (moved) {
      if ('go' in moved) select(moved.go);
      else toggle('expand' in moved ? moved.expand : moved.collapse);
    } else if (event.key === 'e' || event.key === 'E') select(nextError(view, event.shiftKey ? -1 : 1));
    else if (event.key === 'z') zoomTo(view);
    else if (event.key === '0') view.change({ from: null, to: null });
    else if (event.key === '-')
      setCollapsed(
        new Set(tree.order.filter((each) => (tree.below[each] ?? 0) > 0 && tree.depth[each] === 1)),
      );
    else if (event.key === '+') setCollapsed(new Set());
    else if (event.key === 'Escape') select(undefined);
    else return;
    event.preventDefault();
  };

  return (
    <section className="waterfall" aria-label="Waterfall" style={{ '--tree': `${share * 100}%` }}>
      <Minimap view={view} />
      <div
        className="waterfall-grid"
        role="treegrid"
        aria-label="Spans"
        aria-rowcount={rows.length + 1}
        aria-colcount={2}
        aria-activedescendant={row >= 0 ? rowId(rows[row] ?? 0) : undefined}
        aria-describedby="waterfall-keys"
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup">
          <div className="waterfall-head" role="row" aria-rowindex={1}>
            <div role="columnheader" className="waterfall-tree nowrap">
              Service and operation
            </div>
            <div role="columnheader" className="waterfall-time" aria-label="Time">
              <Axis window={view.window} all={view.all} />
            </div>
          </div>
        </div>
        <div className="waterfall-body" ref={body} role="presentation">
          <div role="rowgroup" className="waterfall-rows" style={{ height: list.getTotalSize() }}>
            {list.getVirtualItems().map(({ index, start }) => {
              const span = rows[index] ?? 0;
              return (
                <SpanRow
                  key={span}
                  view={view}
                  span={span}
                  index={index}
                  top={start}
                  isSelected={span === selected}
                  isCollapsed={collapsed.has(span)}
                  segments={segments.get(span)}
                  onToggle={toggle}
                />
              );
            })}
          </div>
          {rows.length === 0 && (
            <p className="waiting muted">No span is {filter === 'errors' ? 'failed' : 'critical'}.</p>
          )}
        </div>
      </div>
      <Divider share={share} onChange={setShare} />
      <HelpKeys />
    </section>
  );
}

function criticalSegments(trace: View['trace']): Map<number, { from: number; to: number }[]> {
  const segments = new Map<number, { from: number; to: number }[]>();
  for (const { span, offset, duration } of trace.criticalPath) {
    const list = segments.get(span) ?? [];
    list.push({ from: offset, to: offset + duration });
    segments.set(span, list);
  }
  return segments;
}

/** The failed span after the selected one in the order of failing, round about. */
function nextError({ errors, selected }: View, step: 1 | -1): number | undefined {
  const at = selected === undefined ? -1 : errors.indexOf(selected);
  return errors[(at + step + errors.length) % errors.length] ?? selected;
}

function zoomTo({ trace, selected, clock, change }: View): void {
  const span = selected === undefined ? undefined : trace.spans[selected];
  if (!span || span.duration === 0) return;
  const from = begin(span, clock);
  change({ from, to: from + span.duration });
}
