import './flame.css';

import { type KeyboardEvent, useMemo, useState } from 'react';

import { duration } from '../../../format/duration.ts';
import { percent, plural } from '../../../format/number.ts';
import { flame, type Frame } from '../../../trace/aggregate.ts';
import type { View } from '../view.ts';
import { cssPercent } from '../waterfall/bar.ts';

/** Frames narrower than this share of the graph are not drawn: nobody could read or hit them. */
const NARROWEST = 0.0015;
const ROW = 22;

/** The trace by paths of services and operations; wide is much time. A frame shows its longest span. */
export function Flame({ view }: { view: View }) {
  const frames = useMemo(() => flame(view.trace, view.tree), [view.trace, view.tree]);
  const [top, setTop] = useState<Frame>();
  const zoom = top && frames.includes(top) ? top : undefined;
  const shown = frames.flatMap((frame) => {
    const place = within(frame, zoom);
    return place && place.width >= NARROWEST ? [{ frame, ...place }] : [];
  });
  const deepest = Math.max(0, ...shown.map(({ frame }) => frame.depth));
  const total = frames.reduce((sum, { self }) => sum + self, 0) || 1;
  return (
    <section className="flame" aria-label="Flame graph">
      <div className="toolbar flame-toolbar">
        <span className="muted">
          {plural(frames.length, 'path')} of operations, as wide as the time that was spent in them
        </span>
        {zoom && (
          <button type="button" onClick={() => setTop(undefined)}>
            Whole graph
          </button>
        )}
      </div>
      <ul className="flame-graph" style={{ height: (deepest + 1) * ROW }} onKeyDown={walk}>
        {shown.map(({ frame, from, width }) => (
          <li
            key={`${frame.depth} ${frame.from} ${frame.service} ${frame.operation}`}
            style={{ left: cssPercent(from), width: cssPercent(width), top: frame.depth * ROW }}
          >
            <button
              type="button"
              className={`frame ${frame.span === view.selected ? 'is-selected' : ''}`}
              style={{ '--hue': view.hue(frame.service) }}
              title={words(frame, total)}
              aria-label={words(frame, total)}
              aria-pressed={frame.span === view.selected}
              onClick={() => view.select(frame.span)}
              onDoubleClick={() => setTop(frame)}
            >
              {frame.errors > 0 && <span className="failed">✕</span>} {frame.service} {frame.operation}
            </button>
          </li>
        ))}
      </ul>
      <p className="muted flame-keys">
        Double-click a frame to give it the whole width; arrow keys go to its neighbours.
      </p>
    </section>
  );
}

/** Where a frame stands when `zoom` has the whole width; undefined if it is beside it. */
function within(frame: Frame, zoom: Frame | undefined): { from: number; width: number } | undefined {
  if (!zoom) return { from: frame.from, width: frame.width };
  const from = (frame.from - zoom.from) / zoom.width;
  const to = from + frame.width / zoom.width;
  if (to <= 1e-9 || from >= 1 - 1e-9) return undefined;
  return { from: Math.max(0, from), width: Math.min(1, to) - Math.max(0, from) };
}

const words = (frame: Frame, total: number) =>
  `${frame.service} ${frame.operation}: ${duration(frame.total)} (${percent(frame.total / total)}), ` +
  `itself ${duration(frame.self)}, ${plural(frame.spans, 'span')}` +
  (frame.errors > 0 ? `, ${plural(frame.errors, 'error')}` : '');

/** Arrow keys go to the frame that is next in their direction. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  const steps: Record<string, [number, number]> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  const step = steps[event.key];
  if (!step || !(event.target instanceof HTMLElement)) return;
  const here = event.target.getBoundingClientRect();
  const x = step[0] === 0 ? here.left + 2 : step[0] < 0 ? here.left - 3 : here.right + 3;
  const y = here.top + here.height / 2 + step[1] * ROW;
  const next = document.elementFromPoint(x, y)?.closest<HTMLElement>('.frame');
  if (next) next.focus();
  event.preventDefault();
}
