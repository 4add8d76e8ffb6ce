import { useQuery } from '@tanstack/react-query';

import { search, SCATTER_LIMIT } from '../../api/queries.ts';
import { goDuration } from '../../format/duration.ts';
import { instant } from '../../format/local.ts';
import { count, plural } from '../../format/number.ts';
import { traceHref } from '../../url/href.ts';
import { navigate } from '../../url/location.ts';
import { useParams } from '../../url/params.ts';
import { orderOf, orders, scatterQuestion } from './question.ts';
import { type Area, Scatter } from './scatter.tsx';

/** When the found traces were and how long they took; dragging over them narrows the search down to them. */
export function ScatterPanel({ params }: { params: URLSearchParams }) {
  const [, change] = useParams();
  const { data } = useQuery(search(scatterQuestion(params, SCATTER_LIMIT)));
  if (!data || data.traces.length === 0) return null;
  const narrow = ({ from, to, least, most }: Area) =>
    change(
      {
        start: instant(from),
        end: instant(to),
        lookback: null,
        minTraceDuration: goDuration(Math.floor(least / 1000) * 1000),
        maxTraceDuration: goDuration(Math.ceil(most / 1000) * 1000),
        cursor: null,
      },
      { keep: true },
    );
  const failed = data.traces.filter(({ errors }) => errors > 0).length;
  const which =
    data.next === null
      ? plural(data.traces.length, 'trace')
      : `${orders[orderOf(params)].toLowerCase()} ${count(SCATTER_LIMIT)} traces`;
  return (
    <figure className="scatter">
      <figcaption className="muted">
        {which}, {count(failed)} with errors <span className="failed">✕</span>. Drag to narrow down, click to
        open.
      </figcaption>
      <Scatter traces={data.traces} onBrush={narrow} onOpen={(id) => navigate(traceHref(id))} />
    </figure>
  );
}
