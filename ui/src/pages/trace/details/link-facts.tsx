import type { Span } from '../../../api/types.ts';
import { Badge } from '../../../design/badge.tsx';
import { percent, sure } from '../../../format/number.ts';
import { linkDetail, linkWords } from '../../../trace/words.ts';
import type { View } from '../view.ts';

/** How the span's parent was found, and how sure everything above it is. */
export function LinkFacts({ view, index, span }: { view: View; index: number; span: Span }) {
  const wayUp = view.confidence(index);
  const { link } = span;
  return (
    <>
      {link && (
        <>
          <dt>Link</dt>
          <dd>
            <Badge tone={link.kind === 'inferred' ? 'dashed' : link.kind === 'unknown' ? 'warn' : 'plain'}>
              {link.kind}
              {link.kind === 'inferred' && ` ${sure(link.confidence)}`}
            </Badge>{' '}
            {linkDetail(link)}
            <div className="muted">{linkWords[link.kind]}</div>
          </dd>
        </>
      )}
      {wayUp < 1 && (
        <>
          <dt>Way up</dt>
          <dd>
            {percent(wayUp)}{' '}
            <span className="muted">that every link from here to the beginning is right</span>
          </dd>
        </>
      )}
      {span.provisionalTraceId !== null && (
        <>
          <dt>Made in</dt>
          <dd>
            <code className="break">{span.provisionalTraceId}</code>{' '}
            <span className="muted">a provisional trace that was joined to this one</span>
          </dd>
        </>
      )}
    </>
  );
}
