import { Badge } from '../../design/badge.tsx';
import { plural } from '../../format/number.ts';
import { gapWords, operationText } from '../../trace/words.ts';
import type { View } from './view.ts';

/** Gaps that are listed. A trace may have one at each of thousands of spans. */
const LISTED = 50;

/** What is missing from the trace, why, and what would help. */
export function Gaps({ view: { trace, select } }: { view: View }) {
  return (
    <details className="gaps">
      <summary>
        {plural(trace.gaps.length, 'gap')}: {reasons(trace.gaps)}
      </summary>
      <ul>
        {trace.gaps.slice(0, LISTED).map((gap, index) => {
          const span = trace.spans[gap.span];
          return (
            <li key={index}>
              <Badge tone="warn">{gapWords[gap.reason]}</Badge>{' '}
              <button type="button" className="plain" onClick={() => select(gap.span)}>
                {span && `${span.service} ${operationText(span)}`}
              </button>{' '}
              {gap.text} {gap.fix && <span className="muted">{gap.fix}</span>}
            </li>
          );
        })}
        {trace.gaps.length > LISTED && (
          <li className="muted">and {trace.gaps.length - LISTED} more, each at its span</li>
        )}
      </ul>
    </details>
  );
}

function reasons(gaps: View['trace']['gaps']): string {
  const counts = new Map<string, number>();
  for (const { reason } of gaps) counts.set(gapWords[reason], (counts.get(gapWords[reason]) ?? 0) + 1);
  return [...counts].map(([reason, times]) => (times === 1 ? reason : `${reason} ×${times}`)).join(', ');
}
