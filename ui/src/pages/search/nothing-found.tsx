import { Empty } from '../../design/empty.tsx';
import { changed, withQuery } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { EVER, narrowing } from './question.ts';

const words: Record<string, string> = {
  service: 'the service',
  operation: 'the operation',
  kind: 'the kind',
  status: 'the status',
  linkKind: 'the link',
  minDuration: 'the shortest span',
  maxDuration: 'the longest span',
  minTraceDuration: 'the shortest trace',
  maxTraceDuration: 'the longest trace',
  traceId: 'the trace id',
  start: 'the beginning',
  end: 'the end',
  where: 'the attributes',
};

/** Why there may be nothing, and what to try. */
export function NothingFound({ params }: { params: URLSearchParams }) {
  if (params.has('cursor')) {
    return (
      <Empty title="No more traces">
        <Link href={withQuery('/search', changed(params, { cursor: null }))}>Back to the first page</Link>
      </Empty>
    );
  }
  const narrowed = narrowing(params);
  const without = (field: string) => withQuery('/search', changed(params, { [field]: null }));
  const ever = withQuery('/search', changed(params, { lookback: EVER, start: null, end: null }));
  return (
    <Empty title="No trace matches">
      <ul>
        {params.get('lookback') !== EVER && (
          <li>
            <Link href={ever}>Search all that is kept</Link>, not only this time.
          </li>
        )}
        {narrowed.map((field) => (
          <li key={field}>
            <Link href={without(field)}>Leave out {words[field]}</Link>
          </li>
        ))}
        {narrowed.length > 1 && <li>All conditions have to hold for one and the same span.</li>}
        {narrowed.length === 0 && (
          <li>
            Spans come by OTLP at port 4317 (gRPC) or 4318 (HTTP), or Zipkin’s at 9411, about a second after a
            request has ended. <Link href="/mesh">See what each workload sends.</Link>
          </li>
        )}
      </ul>
    </Empty>
  );
}
