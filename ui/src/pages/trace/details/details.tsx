import './details.css';

import { Badge } from '../../../design/badge.tsx';
import { Copy } from '../../../design/copy.tsx';
import { ServiceName } from '../../../design/service.tsx';
import { duration } from '../../../format/duration.ts';
import { percent } from '../../../format/number.ts';
import { exact, moment } from '../../../format/time.ts';
import { failure } from '../../../trace/blame.ts';
import { begin } from '../../../trace/times.ts';
import { gapWords, kindWords, operationText } from '../../../trace/words.ts';
import type { View } from '../view.ts';
import { Attributes } from './attributes.tsx';
import { Events } from './events.tsx';
import { LinkFacts } from './link-facts.tsx';
import { LinkedSpans } from './linked-spans.tsx';

/** All that is known about one span. */
export function Details({ view, span: index }: { view: View; span: number }) {
  const span = view.trace.spans[index];
  if (!span) return null;
  const resource = view.trace.resources[span.resource];
  const waited = view.waited[index] ?? 0;
  return (
    <aside className="details" aria-label="Selected span">
      <header>
        <div>
          <ServiceName name={span.service} hue={view.hue(span.service)} />
          <h2>{operationText(span)}</h2>
        </div>
        <button type="button" aria-label="Close the details" onClick={() => view.select(undefined)}>
          ✕
        </button>
      </header>
      <div className="details-body">
        {span.status.code === 'error' && (
          <p className="details-error">
            <strong>✕ Failed</strong> {failure(span)}
          </p>
        )}
        {view.gaps.get(index)?.map((gap) => (
          <p key={gap.reason} className="details-gap">
            <strong>{gapWords[gap.reason]}</strong> {gap.text} {gap.fix && <span>{gap.fix}</span>}
          </p>
        ))}
        {span.warnings.map((warning) => (
          <p key={warning} className="details-gap">
            {warning}
          </p>
        ))}
        <dl className="pairs">
          <dt>Duration</dt>
          <dd>
            <strong>{duration(span.duration)}</strong>{' '}
            <span className="muted">
              {percent(span.duration / (view.all.to - view.all.from))} of the trace
            </span>
          </dd>
          <dt>Self time</dt>
          <dd>{duration(span.selfTime)}</dd>
          <dt>Critical path</dt>
          <dd>{waited > 0 ? duration(waited) : <span className="muted">not on it</span>}</dd>
          <dt>Start</dt>
          <dd>
            +{duration(begin(span, view.clock) - view.all.from)}{' '}
            <span className="muted" title={exact(Number(span.start))}>
              {moment(Number(span.start))}
            </span>
            {span.offset !== span.adjustedOffset && (
              <div className="muted">its clock is {clockWords(span.offset - span.adjustedOffset)}</div>
            )}
          </dd>
          <dt>Kind</dt>
          <dd>{kindWords[span.kind]}</dd>
          <LinkFacts view={view} index={index} span={span} />
          <dt>Span id</dt>
          <dd>
            <code>{span.spanId}</code> <Copy text={span.spanId} what="the span id" />
          </dd>
        </dl>
        <Attributes title="Attributes" attributes={span.attributes} service={span.service} open />
        <Events events={span.events} start={span.offset} />
        <LinkedSpans links={span.links} />
        {resource && (
          <Attributes
            title={resource.instance ? `Resource ${resource.instance}` : 'Resource'}
            attributes={resource.attributes}
          />
        )}
        {span.scope.name !== '' && (
          <p className="details-scope muted">
            Made by <Badge>{span.scope.name}</Badge> {span.scope.version}
          </p>
        )}
      </div>
    </aside>
  );
}

const clockWords = (ahead: number) => `${duration(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'}`;
