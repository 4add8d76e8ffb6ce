import './overview.css';

import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { mesh, overview } from '../../api/queries.ts';
import type { Overview } from '../../api/types.ts';
import { Answer } from '../../design/answer.tsx';
import { Empty } from '../../design/empty.tsx';
import { hues } from '../../design/hues.ts';
import { Page } from '../../design/page.tsx';
import { useWindow, WindowChoice } from '../../design/window-choice.tsx';
import { Link } from '../../url/link.tsx';
import { Changes } from './changes.tsx';
import { IngestHealth } from './ingest-health.tsx';
import { lost } from './lost.ts';
import { OperationList } from './operation-list.tsx';
import { ServiceTable } from './service-table.tsx';

/** How everything is doing, and where to look first. */
export function OverviewPage() {
  const window = useWindow();
  const query = useQuery(overview(window));
  return (
    <Page title="Overview" tools={<WindowChoice />}>
      <Answer query={query}>{(body) => <Everything overview={body} />}</Answer>
    </Page>
  );
}

function Everything({ overview: { services, changes, ingest } }: { overview: Overview }) {
  const colours = useMemo(() => hues(services.map(({ name }) => name)), [services]);
  const workloads = useQuery(mesh(useWindow())).data?.workloads ?? [];
  return (
    <>
      {services.length === 0 ? <NoServices /> : <ServiceTable services={services} colours={colours} />}
      <div className="overview-grid">
        <OperationList order="errors" title="Failing operations" colours={colours} />
        <OperationList order="p95" title="Slowest operations" colours={colours} />
        <Changes changes={changes} colours={colours} />
        <IngestHealth ingest={ingest} lost={lost(workloads)} />
      </div>
    </>
  );
}

function NoServices() {
  return (
    <Empty title="No requests in this time">
      <p>
        Spans come by OTLP at port 4317 (gRPC) or 4318 (HTTP), or Zipkin’s at 9411. <code>make demo</code>{' '}
        starts a bank that sends some.
      </p>
      <p>
        <Link href="/search?lookback=all">Search all that is kept</Link>
      </p>
    </Empty>
  );
}
