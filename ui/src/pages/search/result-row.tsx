import { memo } from 'react';

import type { Summary } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { duration } from '../../format/duration.ts';
import { count, plural, sure } from '../../format/number.ts';
import { exact, moment } from '../../format/time.ts';
import { operationText } from '../../trace/words.ts';
import { traceHref } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';

/** Services that a row names. */
const NAMED = 3;

interface Props {
  summary: Summary;
  /** The longest duration of the page: the full width of the bars. */
  longest: number;
  colours: ReadonlyMap<string, string>;
  isPicked: boolean;
  onPick: (summary: Summary) => void;
}

export const ResultRow = memo(function ResultRow({ summary, longest, colours, isPicked, onPick }: Props) {
  const { traceId, root, services } = summary;
  const start = Number(summary.start);
  const failedFirst = services.toSorted((a, b) => Number(b.errors > 0) - Number(a.errors > 0));
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          checked={isPicked}
          aria-label={`Compare ${traceId.slice(0, 8)}`}
          onChange={() => onPick(summary)}
        />
      </td>
      <td className="result-name">
        <Link href={traceHref(traceId)}>
          <b>{root.service}</b> {operationText(root)}
        </Link>{' '}
        <code className="muted">{traceId.slice(0, 8)}</code>
      </td>
      <td className="result-duration">
        <span className="number">{duration(summary.duration)}</span>
        <span
          className="result-bar"
          style={{ width: `${(summary.duration / Math.max(longest, 1)) * 100}%` }}
        />
      </td>
      <td className="number">
        {summary.errors > 0 && <Badge tone="failed">✕ {count(summary.errors)}</Badge>}
      </td>
      <td className="nowrap" title={exact(start)}>
        {moment(start)}
      </td>
      <td className="number">{count(summary.spans)}</td>
      <td className="result-services">
        {failedFirst.slice(0, NAMED).map(({ name, spans, errors }) => (
          <span key={name} className={errors > 0 ? 'failed' : undefined} title={plural(spans, 'span')}>
            <span className="swatch" style={{ background: colours.get(name) ?? 'var(--muted)' }} /> {name}
          </span>
        ))}
        {services.length > NAMED && <span className="muted">+{services.length - NAMED}</span>}
      </td>
      <td className="nowrap">
        <State summary={summary} />
      </td>
    </tr>
  );
});

function State({ summary: { state, gaps, confidence } }: { summary: Summary }) {
  return (
    <>
      {state === 'complete' && (
        <span className="muted" title="Nothing is missing" role="img" aria-label="complete">
          ✓
        </span>
      )}
      {state === 'open' && <Badge title="Something is missing that may still come">… open</Badge>}
      {state === 'gaps' && <Badge tone="warn">⚠ {plural(gaps, 'gap')}</Badge>}{' '}
      {confidence < 1 && (
        <Badge tone="dashed" title="The product of the confidences of its inferred links">
          {sure(confidence)}
        </Badge>
      )}
    </>
  );
}
