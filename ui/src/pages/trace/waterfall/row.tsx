import { memo } from 'react';

import type { Span } from '../../../api/types.ts';
import { Badge } from '../../../design/badge.tsx';
import { duration } from '../../../format/duration.ts';
import { sure } from '../../../format/number.ts';
import { begin, position } from '../../../trace/times.ts';
import { guides } from '../../../trace/tree.ts';
import { gapWords, operationText } from '../../../trace/words.ts';
import type { View } from '../view.ts';
import { bar, cssPercent, textSide } from './bar.ts';

interface Props {
  view: View;
  span: number;
  /** Among the rows that are shown. */
  index: number;
  top: number;
  isSelected: boolean;
  isCollapsed: boolean;
  /** When the trace waited for this span. */
  segments: readonly { from: number; to: number }[] | undefined;
  onToggle: (span: number) => void;
}

export const rowId = (span: number) => `span-${span}`;

export const SpanRow = memo(function SpanRow(props: Props) {
  const { view, span: index, isSelected, isCollapsed } = props;
  const { tree } = view;
  const span = view.trace.spans[index];
  if (!span) return null;
  const below = tree.below[index] ?? 0;
  const marks = [
    isSelected && 'is-selected',
    view.found.has(index) && 'is-found',
    !span.critical && 'is-aside',
    span.status.code === 'error' && 'is-failed',
  ];
  return (
    <div
      id={rowId(index)}
      role="row"
      className={`waterfall-row ${marks.filter(Boolean).join(' ')}`}
      style={{ transform: `translateY(${props.top}px)` }}
      aria-rowindex={props.index + 2}
      aria-level={(tree.depth[index] ?? 0) + 1}
      aria-expanded={below > 0 ? !isCollapsed : undefined}
      aria-selected={isSelected}
      onClick={() => view.select(index)}
    >
      <TreeCell {...props} spanData={span} below={below} />
      <TimeCell {...props} spanData={span} />
    </div>
  );
});

function TreeCell({
  view,
  span: index,
  spanData: span,
  below,
  isCollapsed,
  onToggle,
}: Props & { spanData: Span; below: number }) {
  const step = Math.max(3, Math.min(13, 150 / Math.max(view.tree.deepest, 1)));
  const lines = guides(view.tree, index);
  return (
    <div role="gridcell" className="waterfall-tree" title={`${span.service} ${operationText(span)}`}>
      <span className="guides" style={{ width: lines.length * step }} aria-hidden="true">
        {lines.map((goesOn, level) => {
          const own = level === lines.length - 1;
          const kind = own ? `elbow ${span.link?.kind === 'inferred' ? 'is-inferred' : ''}` : '';
          return goesOn || own ? (
            <span
              key={level}
              className={`guide ${kind} ${goesOn ? 'goes-on' : ''}`}
              style={{ left: level * step + 5, width: step - 2 }}
            />
          ) : null;
        })}
      </span>
      {below > 0 ? (
        <span
          className="caret"
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            onToggle(index);
          }}
        >
          {isCollapsed ? '▸' : '▾'}
        </span>
      ) : (
        <span className="caret" />
      )}
      <span className="swatch" style={{ background: view.hue(span.service) }} />
      {span.status.code === 'error' && (
        <span className="failed" role="img" aria-label="failed">
          ✕
        </span>
      )}
      <span className="ellipsis">
        <b>{span.service}</b> {operationText(span)}
      </span>
      {isCollapsed && <Badge>{below} below</Badge>}
    </div>
  );
}

function TimeCell({ view, span: index, spanData: span, segments }: Props & { spanData: Span }) {
  const { window, clock } = view;
  const from = begin(span, clock);
  const place = bar(from, from + span.duration, window);
  if (!place) {
    return (
      <div role="gridcell" className="waterfall-time muted">
        <span className="outside">{from < window.from ? '◂' : '▸'} outside</span>
      </div>
    );
  }
  // the critical path is told by adjusted times
  const moved = clock === 'raw' ? span.offset - span.adjustedOffset : 0;
  const side = textSide(place);
  return (
    <div role="gridcell" className="waterfall-time">
      <span
        className="bar"
        style={{
          left: cssPercent(place.left),
          width: cssPercent(place.width),
          background: view.hue(span.service),
        }}
      />
      {segments?.map((segment) => {
        const part = bar(segment.from + moved, segment.to + moved, window);
        return part ? (
          <span
            key={segment.from}
            className="bar-critical"
            style={{ left: cssPercent(part.left), width: cssPercent(part.width) }}
          />
        ) : null;
      })}
      {span.events.map((event, nth) => {
        const at = position(event.offset + (clock === 'raw' ? 0 : span.adjustedOffset - span.offset), window);
        return at >= 0 && at <= 1 ? (
          <span key={nth} className="bar-event" style={{ left: cssPercent(at) }} title={event.name} />
        ) : null;
      })}
      <span
        className={`bar-text is-${side}`}
        style={
          side === 'before'
            ? { right: cssPercent(1 - place.left) }
            : { left: cssPercent(side === 'behind' ? place.left + place.width : place.left) }
        }
      >
        <span className="number">{duration(span.duration)}</span>
        <Notes view={view} index={index} span={span} />
      </span>
    </div>
  );
}

/** What has to be known about a span before it is believed: how it was joined, and what is missing there. */
function Notes({ view, index, span }: { view: View; index: number; span: Span }) {
  return (
    <>
      {span.link?.kind === 'inferred' && <Badge tone="dashed">{sure(span.link.confidence)}</Badge>}
      {view.gaps.get(index)?.map(({ reason, text }) => (
        <Badge key={reason} tone="warn" title={text}>
          {gapWords[reason]}
        </Badge>
      ))}
    </>
  );
}
