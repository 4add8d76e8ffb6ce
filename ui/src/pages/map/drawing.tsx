import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from 'react';

import type { Graph } from '../../api/types.ts';
import { useSize } from '../../design/use-size.ts';
import { percent, rate, compact } from '../../format/number.ts';
import { curve, type Node, type Placed, place } from './layout.ts';

interface Props {
  graph: Pick<Graph, 'nodes' | 'edges'>;
  colours: ReadonlyMap<string, string>;
  focus: string | undefined;
  /** Nodes whose names contain this stand out. */
  text: string;
  onFocus: (id: string) => void;
}

const NEAREST = 2.5;
const FARTHEST = 0.3;
/** Where layers go down rather than to the right, in CSS pixels. */
const NARROW = 600;
/** Height of the drawing at most, in CSS pixels. */
const TALLEST = 560;

/** The graph, to be moved by dragging and made larger or smaller. The table below it says the same in words. */
export function Drawing({ graph, colours, focus, text, onFocus }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const narrow = width > 0 && width < NARROW;
  // the layout depends on who is there, not on how often they call
  const shape = JSON.stringify([
    graph.nodes.map(({ id }) => id),
    graph.edges.map(({ from, to }) => [from, to]),
  ]);
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const boxes = useMemo(() => place(graph, narrow), [shape, narrow]);
  const placed = useMemo(() => current(boxes, graph), [boxes, graph]);
  const [zoom, setZoom] = useState(1);
  const [shift, setShift] = useState({ x: 0, y: 0 });
  const drag = useRef<{ x: number; y: number }>(undefined);
  const wanted = text.trim().toLowerCase();
  const busiest = Math.max(1, ...placed.edges.map(({ calls }) => calls));

  const scale = (by: number) => setZoom(Math.min(NEAREST, Math.max(FARTHEST, zoom * by)));
  const move = (event: PointerEvent) => {
    if (!drag.current) return;
    setShift({ x: shift.x + event.movementX, y: shift.y + event.movementY });
  };
  return (
    <div className="map-drawing" ref={box}>
      <div className="map-zoom segments">
        <button type="button" aria-label="Larger" onClick={() => scale(1.25)}>
          +
        </button>
        <button type="button" aria-label="Smaller" onClick={() => scale(0.8)}>
          −
        </button>
        <button
          type="button"
          onClick={() => {
            setZoom(1);
            setShift({ x: 0, y: 0 });
          }}
        >
          Fit
        </button>
      </div>
      <svg
        viewBox={`0 0 ${placed.width} ${placed.height}`}
        style={{ height: Math.min(TALLEST, placed.height), maxWidth: placed.width }}
        role="group"
        aria-label="Services and their calls"
        onPointerDown={(event) => (drag.current = { x: event.clientX, y: event.clientY })}
        onPointerMove={move}
        onPointerUp={() => (drag.current = undefined)}
        onPointerLeave={() => (drag.current = undefined)}
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" className="map-arrow" />
          </marker>
        </defs>
        <g style={{ transform: `translate(${shift.x}px, ${shift.y}px) scale(${zoom})` }}>
          {placed.edges.map((edge) => (
            <g
              key={`${edge.from} ${edge.to}`}
              className={edge.stats?.errors ? 'map-edge is-failing' : 'map-edge'}
            >
              <path
                d={curve(edge.points)}
                markerEnd="url(#arrow)"
                style={{ strokeWidth: 1 + 2.5 * Math.sqrt(edge.calls / busiest) }}
              />
              <text x={edge.label.x} y={edge.label.y - 7} textAnchor="middle">
                {edge.stats ? rate(edge.stats.rate) : compact(edge.calls)}
                {edge.stats && edge.stats.errors > 0 && (
                  <tspan className="is-failed"> ✕ {percent(edge.stats.errorRatio)}</tspan>
                )}
              </text>
            </g>
          ))}
          {placed.nodes.map((node) => (
            <NodeBox
              key={node.id}
              node={node}
              hue={colours.get(node.id)}
              isFocus={node.id === focus}
              isFaint={wanted !== '' && !node.name.toLowerCase().includes(wanted)}
              onFocus={onFocus}
            />
          ))}
        </g>
      </svg>
    </div>
  );
}

interface BoxProps {
  node: Placed['nodes'][number];
  hue: string | undefined;
  isFocus: boolean;
  isFaint: boolean;
  onFocus: (id: string) => void;
}

function NodeBox({ node, hue, isFocus, isFaint, onFocus }: BoxProps) {
  const { id, name, type, stats, x, y, width, height } = node;
  const chosen = () => onFocus(id);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    chosen();
  };
  const failing = stats !== null && stats.errors > 0;
  return (
    <g
      className={`map-node is-${type} ${isFocus ? 'is-focus' : ''} ${isFaint ? 'is-faint' : ''}`}
      role="button"
      tabIndex={0}
      aria-pressed={isFocus}
      aria-label={`${name}, ${summary(node)}`}
      onClick={chosen}
      onKeyDown={onKeyDown}
    >
      <rect x={x - width / 2} y={y - height / 2} width={width} height={height} rx={4} />
      <rect
        x={x - width / 2}
        y={y - height / 2}
        width={4}
        height={height}
        rx={2}
        className="map-hue"
        style={{ fill: hue }}
      />
      <text x={x - width / 2 + 12} y={y - 4} className="map-name">
        {name.length > 26 ? `${name.slice(0, 25)}…` : name}
      </text>
      <text x={x - width / 2 + 12} y={y + 12} className={failing ? 'is-failed' : 'map-note'}>
        {failing ? `✕ ${percent(stats.errorRatio)} of ${rate(stats.rate)}` : summary(node)}
      </text>
    </g>
  );
}

const summary = ({ type, stats }: Node) => (stats ? rate(stats.rate) : type === 'service' ? '' : type);

/** The boxes as they were laid out, with what is said of them now. */
function current(boxes: Placed, graph: Pick<Graph, 'nodes' | 'edges'>): Placed {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const edges = new Map(graph.edges.map((edge) => [`${edge.from} ${edge.to}`, edge]));
  return {
    ...boxes,
    nodes: boxes.nodes.map((node) => ({ ...node, ...nodes.get(node.id) })),
    edges: boxes.edges.map((edge) => ({ ...edge, ...edges.get(`${edge.from} ${edge.to}`) })),
  };
}
