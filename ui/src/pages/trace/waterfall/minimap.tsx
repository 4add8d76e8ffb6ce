import { type PointerEvent, useEffect, useRef, useState } from 'react';

import { colour } from '../../../design/theme.ts';
import { useRepaint } from '../../../design/use-theme.ts';
import { useSize } from '../../../design/use-size.ts';
import { begin, position } from '../../../trace/times.ts';
import type { View } from '../view.ts';
import { cssPercent } from './bar.ts';

/** A drag shorter than this is a click, and shows the whole trace again. */
const CLICK = 0.005;

/** All spans of the trace at a glance; dragging over it chooses the time that is looked at. */
export function Minimap({ view }: { view: View }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = useSize(canvas);
  const repaint = useRepaint();
  const { trace, tree, all, clock, hue, window, change } = view;
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context && width > 0) paint(context, width, height, { trace, tree, all, clock, hue });
  }, [trace, tree, all, clock, hue, width, height, repaint]);

  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const at = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const finish = () => {
    if (!drag) return;
    setDrag(undefined);
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    const time = (share: number) => Math.round(all.from + share * (all.to - all.from));
    change(to - from < CLICK ? { from: null, to: null } : { from: time(from), to: time(to) });
  };
  const part = drag ?? { from: position(window.from, all), to: position(window.to, all) };
  const [left, right] = [Math.min(part.from, part.to), Math.max(part.from, part.to)];
  return (
    <div className="minimap">
      <div
        className="minimap-area"
        title="Drag to look at a part of the time; click for all of it"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag({ from: at(event), to: at(event) });
        }}
        onPointerMove={(event) => drag && setDrag({ ...drag, to: at(event) })}
        onPointerUp={finish}
        onPointerCancel={() => setDrag(undefined)}
      >
        <canvas ref={canvas} role="img" aria-label="All spans of the trace over its time" />
        <span className="minimap-outside" style={{ left: 0, width: cssPercent(left) }} />
        <span className="minimap-outside" style={{ left: cssPercent(right), right: 0 }} />
      </div>
    </div>
  );
}

type Painted = Pick<View, 'trace' | 'tree' | 'all' | 'clock' | 'hue'>;

function paint(context: CanvasRenderingContext2D, width: number, height: number, painted: Painted): void {
  const { trace, tree, all, clock, hue } = painted;
  const scale = globalThis.devicePixelRatio;
  context.canvas.width = width * scale;
  context.canvas.height = height * scale;
  context.scale(scale, scale);
  const colours = new Map(trace.services.map(({ name }) => [name, colour(hue(name).slice(4, -1))]));
  const failed = colour('--failed');
  const line = Math.min(4, height / Math.max(tree.order.length, 1));
  const thickness = Math.max(1, line * 0.75);
  tree.order.forEach((index, place) => {
    const span = trace.spans[index];
    if (!span) return;
    const start = begin(span, clock);
    const x = position(start, all) * width;
    context.fillStyle = span.status.code === 'error' ? failed : (colours.get(span.service) ?? failed);
    context.fillRect(x, place * line, Math.max(1, (span.duration / (all.to - all.from)) * width), thickness);
  });
}
