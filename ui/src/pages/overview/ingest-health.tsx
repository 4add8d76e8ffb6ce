import type { ReactNode } from 'react';

import type { Counted, Ingest } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { bytes, count } from '../../format/number.ts';
import { Link } from '../../url/link.tsx';

interface Props {
  ingest: Ingest;
  /** What sidecars say that they lost, in the window; undefined where none has said anything. */
  lost: readonly Counted[] | undefined;
}

/** What came in, what was lost and why, and how much is kept. Since the collector started, but for what sidecars lost. */
export function IngestHealth({ ingest, lost }: Props) {
  const { received, refused, failedRequests, stored, repeated, dropped, store, aggregates } = ingest;
  return (
    <section className="panel" aria-labelledby="ingest">
      <h2 id="ingest">Ingest</h2>
      <dl className="pairs ingest">
        {lost && (
          <Line name="Lost before">
            <Reasons counted={lost} none="no span, say the sidecars" /> <Link href="/mesh">by workload</Link>
          </Line>
        )}
        <Line name="Received">
          {received.length === 0
            ? 'nothing yet'
            : received.map((each) => <Amount key={each.name} counted={each} />)}
        </Line>
        <Line name="Refused">
          <Reasons counted={refused} none="no span" />
        </Line>
        <Line name="Failed requests">
          <Reasons counted={failedRequests} none="none" />
        </Line>
        <Line name="Stored">
          {count(stored)}{' '}
          {repeated > 0 && <span className="muted">and {count(repeated)} repeated ones recognised</span>}
        </Line>
        <Line name="Kept now">
          {count(store.spans)} spans of {count(store.traces)} traces, {bytes(store.bytes)}
        </Line>
        <Line name="Let go">
          {dropped.length === 0
            ? 'nothing'
            : dropped.map((each) => <Amount key={each.name} counted={each} />)}
        </Line>
        <Line name="Live series">
          {count(aggregates.series)} of {count(aggregates.limit)}
          {aggregates.other > 0 && <Badge tone="warn">{count(aggregates.other)} calls under “other”</Badge>}
        </Line>
      </dl>
    </section>
  );
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

const Amount = ({ counted: { name, count: value } }: { counted: Counted }) => (
  <span className="amount">
    {count(value)} <span className="muted">{name.replaceAll('_', ' ')}</span>
  </span>
);

function Reasons({ counted, none }: { counted: readonly Counted[]; none: string }) {
  const lost = counted.filter(({ count: value }) => value > 0);
  if (lost.length === 0) return <span className="muted">{none}</span>;
  return lost.map(({ name, count: value }) => (
    <Badge key={name} tone="warn">
      {count(value)} {name.replaceAll('_', ' ')}
    </Badge>
  ));
}
