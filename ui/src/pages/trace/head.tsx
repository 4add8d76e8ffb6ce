import { Badge } from '../../design/badge.tsx';
import { Copy } from '../../design/copy.tsx';
import { ServiceName } from '../../design/service.tsx';
import { duration } from '../../format/duration.ts';
import { count, percent, plural, sure } from '../../format/number.ts';
import { exact, moment } from '../../format/time.ts';
import { blame, failure } from '../../trace/blame.ts';
import { skewed } from '../../trace/times.ts';
import { operationText } from '../../trace/words.ts';
import { Gaps } from './gaps.tsx';
import { TimeShares } from './time-shares.tsx';
import type { View } from './view.ts';

/** What this trace is, whether it can be believed, and where to look first. */
export function Head({ view }: { view: View }) {
  const { trace, errors, hue, tree } = view;
  const root = trace.spans[0];
  const start = Number(trace.start);
  return (
    <header className="trace-head">
      <div className="trace-title">
        <h1>
          {root ? (
            <>
              <ServiceName name={root.service} hue={hue(root.service)} />{' '}
              <span className="trace-operation">{operationText(root)}</span>
            </>
          ) : (
            'An empty trace'
          )}
        </h1>
        <span className="nowrap">
          <code>{trace.traceId}</code> <Copy text={trace.traceId} what="the trace id" />
        </span>
      </div>
      <ul className="facts">
        <li>
          <strong>{duration(view.all.to - view.all.from)}</strong>
        </li>
        <li title={exact(start)}>{moment(start)}</li>
        <li>{plural(trace.spans.length, 'span')}</li>
        <li>{plural(trace.services.length, 'service')}</li>
        <li>depth {count(tree.deepest + 1)}</li>
        {errors.length > 0 && (
          <li>
            <Badge tone="failed">✕ {plural(errors.length, 'error')}</Badge>
          </li>
        )}
        <li>
          <State view={view} />
        </li>
        {trace.confidence < 1 && (
          <li>
            <Badge tone="dashed" title="The product of the confidences of all inferred links">
              {sure(trace.confidence)} sure of its links
            </Badge>
          </li>
        )}
        {skewed(trace) && (
          <li>
            <Badge tone="warn" title={skewWords(view)}>
              clocks differ
            </Badge>
          </li>
        )}
      </ul>
      <ToLookAt view={view} />
      <TimeShares view={view} />
      {trace.gaps.length > 0 && <Gaps view={view} />}
    </header>
  );
}

function State({ view: { trace } }: { view: View }) {
  if (trace.state === 'complete') return <Badge tone="good">✓ complete</Badge>;
  if (trace.state === 'open') return <Badge title="Something is missing that may still come">… open</Badge>;
  return <Badge tone="warn">⚠ {plural(trace.gaps.length, 'gap')}</Badge>;
}

function skewWords({ trace }: View): string {
  return trace.clockSkew
    .filter(({ offset }) => offset !== 0)
    .map(({ resource, offset, uncertainty }) => {
      const { service = 'a sender', instance } = trace.resources[resource] ?? {};
      const side = offset > 0 ? 'ahead' : 'behind';
      const who = instance ? `${service} (${instance})` : service;
      return `${who} is ${duration(Math.abs(offset))} ${side}, give or take ${duration(uncertainty)}`;
    })
    .join('\n');
}

/** The ways from the trace to the spans to look at first. */
function ToLookAt({ view }: { view: View }) {
  const { failed, slowest } = blame(view.trace, view.tree);
  return (
    <>
      {failed !== undefined && <Way view={view} index={failed} why="Failed first" />}
      {slowest !== undefined && slowest !== failed && (
        <Way view={view} index={slowest} why="Most waited for" />
      )}
    </>
  );
}

function Way({ view, index, why }: { view: View; index: number; why: string }) {
  const span = view.trace.spans[index];
  if (!span) return null;
  const waited = view.waited[index] ?? 0;
  return (
    <p className="blame">
      <span className="muted">{why}</span>{' '}
      <button type="button" onClick={() => view.select(index)}>
        <ServiceName name={span.service} hue={view.hue(span.service)} />
        {operationText(span)}
      </button>{' '}
      {span.status.code === 'error' && <span className="failed">{failure(span)}</span>}{' '}
      {waited > 0 && (
        <span className="muted">
          {duration(waited)} of the critical path, {percent(waited / (view.all.to - view.all.from))} of the
          trace
        </span>
      )}
    </p>
  );
}
