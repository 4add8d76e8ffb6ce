import 'uplot/dist/uPlot.min.css';

import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';

import type { Summary } from '../../api/types.ts';
import { colour } from '../../design/theme.ts';
import { useRepaint } from '../../design/use-theme.ts';
import { useSize } from '../../design/use-size.ts';
import { duration } from '../../format/duration.ts';
import { moment, timeOfDay } from '../../format/time.ts';

/** Times in milliseconds since the Unix epoch, durations in nanoseconds. */
export interface Area {
  from: number;
  to: number;
  least: number;
  most: number;
}

interface Props {
  traces: readonly Summary[];
  onBrush: (area: Area) => void;
  onOpen: (traceId: string) => void;
}

const HEIGHT = 150;
// uPlot names its scales by numbers of an enum that is only declared
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
const LOGARITHMIC = 3 as uPlot.Scale.Distr;
/** How near a pointer has to be to a point, in CSS pixels. */
const REACH = 10;

/** Duration over time, on a logarithmic scale. The table below says the same to those who do not see it. */
export function Scatter({ traces, onBrush, onOpen }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const repaint = useRepaint();
  const [near, setNear] = useState<Summary>();
  const calls = useRef({ onBrush, onOpen });
  useEffect(() => {
    calls.current = { onBrush, onOpen };
  });
  useEffect(() => {
    if (!box.current || width === 0) return;
    const sorted = traces.toSorted((a, b) => Number(a.start) - Number(b.start));
    let nearest: Summary | undefined;
    const plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: true, y: true, setScale: false }, points: { show: false } },
        scales: { x: { time: true, range: padded }, y: { distr: LOGARITHMIC } },
        axes: [
          { ...axis(), space: 90, values: (_, splits) => splits.map((at) => timeOfDay(at * 1e9)) },
          { ...axis(decades), size: 58, filter: decades, values: (_, splits) => splits.map(named) },
        ],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          draw: [(drawn) => drawPoints(drawn, sorted)],
          setCursor: [
            (moved) => {
              nearest = nearestPoint(moved, sorted);
              setNear(nearest);
            },
          ],
          setSelect: [
            (chosen) => {
              const { left, top, width: wide, height } = chosen.select;
              if (wide < 4 && height < 4) return;
              calls.current.onBrush({
                from: chosen.posToVal(left, 'x') * 1000,
                to: chosen.posToVal(left + wide, 'x') * 1000,
                least: chosen.posToVal(top + height, 'y'),
                most: chosen.posToVal(top, 'y'),
              });
            },
          ],
        },
      },
      [sorted.map(({ start }) => Number(start) / 1e9), sorted.map((each) => Math.max(each.duration, 1))],
      box.current,
    );
    const open = () => {
      if (nearest && plot.select.width < 4) calls.current.onOpen(nearest.traceId);
    };
    plot.over.addEventListener('click', open);
    return () => plot.destroy();
  }, [traces, width, repaint]);
  return (
    <div className="scatter-plot">
      <div ref={box} role="img" aria-label="Duration of each trace over time" style={{ height: HEIGHT }} />
      <p className="scatter-near" aria-hidden="true">
        {near &&
          `${moment(Number(near.start))}  ${duration(near.duration)}  ${near.root.service} ${near.root.operation}`}
      </p>
    </div>
  );
}

/** Of the lines of a logarithmic scale only some are named. */
const named = (nanos: number | null) => (nanos === null ? '' : duration(nanos));

/** Lines of a logarithmic scale at powers of ten only. */
const decades: uPlot.Axis.Filter = (_, splits) =>
  splits.map((at) => (Number.isInteger(Math.round(Math.log10(at) * 1e6) / 1e6) ? at : null));

const axis = (filter?: uPlot.Axis.Filter): uPlot.Axis => ({
  stroke: colour('--muted'),
  grid: { stroke: colour('--line'), width: 1, ...(filter && { filter }) },
  ticks: { show: false },
  font: '11px system-ui, sans-serif',
  size: 26,
});

/** Room beside the outermost points; a single one stands in the middle of a minute. */
function padded(_: uPlot, from: number, to: number): [number, number] {
  const room = Math.max((to - from) * 0.02, from === to ? 30 : 0.001);
  return [from - room, to + room];
}

function drawPoints(plot: uPlot, traces: readonly Summary[]): void {
  const { ctx } = plot;
  const scale = devicePixelRatio;
  const fine = colour('--hue-0');
  const failed = colour('--failed');
  ctx.save();
  ctx.lineWidth = 1.6 * scale;
  for (const { start, duration: length, errors } of traces) {
    const x = plot.valToPos(Number(start) / 1e9, 'x', true);
    const y = plot.valToPos(Math.max(length, 1), 'y', true);
    ctx.beginPath();
    if (errors > 0) {
      // a cross, so that it is not told by its colour alone
      const arm = 3 * scale;
      ctx.strokeStyle = failed;
      ctx.moveTo(x - arm, y - arm);
      ctx.lineTo(x + arm, y + arm);
      ctx.moveTo(x + arm, y - arm);
      ctx.lineTo(x - arm, y + arm);
      ctx.stroke();
    } else {
      ctx.globalAlpha = 0.65;
      ctx.fillStyle = fine;
      ctx.arc(x, y, 2.6 * scale, 0, 2 * Math.PI);
      ctx.fill();
      ctx.globalAlpha = 1;
    }
  }
  ctx.restore();
}

function nearestPoint(plot: uPlot, traces: readonly Summary[]): Summary | undefined {
  const { left = -1, top = -1 } = plot.cursor;
  if (left < 0) return undefined;
  let best: Summary | undefined;
  let distance = REACH;
  for (const trace of traces) {
    const x = plot.valToPos(Number(trace.start) / 1e9, 'x') - left;
    const y = plot.valToPos(Math.max(trace.duration, 1), 'y') - top;
    const here = Math.hypot(x, y);
    if (here < distance) [best, distance] = [trace, here];
  }
  return best;
}
