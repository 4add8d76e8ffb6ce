import './trace.css';

import { useQuery } from '@tanstack/react-query';

import { Refused } from '../../api/client.ts';
import { trace as traceQuery } from '../../api/queries.ts';
import type { Trace } from '../../api/types.ts';
import { Answer } from '../../design/answer.tsx';
import { Empty } from '../../design/empty.tsx';
import { useTitle } from '../../design/use-title.ts';
import { href } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { Details } from './details/details.tsx';
import { Flame } from './flame/flame.tsx';
import { Head } from './head.tsx';
import { SpanTable } from './table/table.tsx';
import { Toolbar } from './toolbar.tsx';
import { useView } from './view.ts';
import { Waterfall } from './waterfall/waterfall.tsx';

/** One trace: a waterfall, a flame graph or a table of its spans, and all about the selected one. */
export function TracePage({ id }: { id: string }) {
  const query = useQuery(traceQuery(id));
  if (query.error instanceof Refused && query.error.status === 404) return <NotHere id={id} />;
  return <Answer query={query}>{(trace) => <Whole trace={trace} />}</Answer>;
}

function Whole({ trace }: { trace: Trace }) {
  const view = useView(trace);
  const root = trace.spans[0];
  useTitle(root ? `${root.service} ${root.operation}` : trace.traceId);
  const Shape = { waterfall: Waterfall, flame: Flame, table: SpanTable }[view.shape];
  return (
    <div className="trace">
      <Head view={view} />
      <Toolbar view={view} />
      <div className="trace-body">
        <Shape view={view} />
        {view.selected !== undefined && <Details view={view} span={view.selected} />}
      </div>
    </div>
  );
}

function NotHere({ id }: { id: string }) {
  return (
    <Empty page title="This trace is not here">
      <p>
        <code>{id}</code> was never received by this collector, or retention has dropped it. Spans arrive
        about a second after a request has ended.
      </p>
      <p>
        <Link href={href('/search', { traceId: id.slice(0, 8), lookback: 'all' })}>
          Search for traces whose ids begin alike
        </Link>
      </p>
    </Empty>
  );
}
