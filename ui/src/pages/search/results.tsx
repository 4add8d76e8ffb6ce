import { useState } from 'react';

import type { Found, Summary } from '../../api/types.ts';
import { plural } from '../../format/number.ts';
import { changed, href, withQuery } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { NothingFound } from './nothing-found.tsx';
import { type Order, orderOf, orders } from './question.ts';
import { ResultRow } from './result-row.tsx';

interface Props {
  found: Found;
  params: URLSearchParams;
  colours: ReadonlyMap<string, string>;
}

const columns: readonly { title: string; order?: Order; numeric?: boolean }[] = [
  { title: 'Trace' },
  { title: 'Duration', order: 'duration' },
  { title: 'Errors', order: 'errors', numeric: true },
  { title: 'Start', order: 'time' },
  { title: 'Spans', order: 'spans', numeric: true },
  { title: 'Services' },
  { title: 'State' },
];

/** One page of traces, in an order that the collector makes over the whole search. */
export function Results({ found, params, colours }: Props) {
  const [picked, setPicked] = useState<readonly string[]>([]);
  if (found.traces.length === 0) return <NothingFound params={params} />;
  const order = orderOf(params);
  const longest = Math.max(...found.traces.map(({ duration }) => duration));
  const pick = ({ traceId }: Summary) =>
    setPicked(
      picked.includes(traceId) ? picked.filter((id) => id !== traceId) : [...picked.slice(-1), traceId],
    );
  const sortHref = (by: Order) =>
    withQuery('/search', changed(params, { order: by === 'time' ? null : by, cursor: null }));
  const [a, b] = picked;
  return (
    <>
      <div className="toolbar results-bar">
        <h2>{orders[order]} first</h2>
        {order !== 'span-duration' && <Link href={sortHref('span-duration')}>by longest matching span</Link>}
        <span className="toolbar-end">
          {a !== undefined &&
            (b === undefined ? (
              <span className="muted">choose another to compare</span>
            ) : (
              <Link className="button" href={href('/compare', { a, b })}>
                Compare the two
              </Link>
            ))}
        </span>
      </div>
      <div className="wide" role="region" aria-label="Found traces" tabIndex={0}>
        <table className="results">
          <thead>
            <tr>
              <th scope="col">
                <span className="hidden-visually">Compare</span>
              </th>
              {columns.map(({ title, order: by, numeric }) => (
                <th
                  key={title}
                  scope="col"
                  className={numeric ? 'number' : undefined}
                  aria-sort={by && by === order ? 'descending' : undefined}
                >
                  {by ? (
                    <Link href={sortHref(by)}>
                      {title} {by === order && <span aria-hidden="true">↓</span>}
                    </Link>
                  ) : (
                    title
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.traces.map((summary) => (
              <ResultRow
                key={summary.traceId}
                summary={summary}
                longest={longest}
                colours={colours}
                isPicked={picked.includes(summary.traceId)}
                onPick={pick}
              />
            ))}
          </tbody>
        </table>
      </div>
      <nav className="toolbar pager" aria-label="Pages of results">
        <span className="muted">{plural(found.traces.length, 'trace')} here</span>
        {params.has('cursor') && (
          <Link className="button" href={withQuery('/search', changed(params, { cursor: null }))}>
            First page
          </Link>
        )}
        {found.next !== null && (
          <Link
            className="button"
            href={withQuery('/search', changed(params, { cursor: found.next }))}
            onClick={() => window.scrollTo(0, 0)}
          >
            Next page
          </Link>
        )}
      </nav>
    </>
  );
}
