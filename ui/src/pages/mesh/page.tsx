import './mesh.css';

import { useQuery } from '@tanstack/react-query';

import { mesh, propagation } from '../../api/queries.ts';
import type { Propagation, Workload } from '../../api/types.ts';
import { Answer } from '../../design/answer.tsx';
import { Empty } from '../../design/empty.tsx';
import { LinkLegend } from '../../design/link-shares.tsx';
import { Page } from '../../design/page.tsx';
import { useWindow, WindowChoice } from '../../design/window-choice.tsx';
import { useParams } from '../../url/params.ts';
import { WorkloadDetails } from './workload-details.tsx';
import { WorkloadTable } from './workload-table.tsx';

/** What every workload sends, how its calls are joined, and what would make it better. */
export function MeshPage() {
  const window = useWindow();
  const workloads = useQuery(mesh(window));
  const report = useQuery(propagation(window));
  return (
    <Page title="Mesh" tools={<WindowChoice />}>
      <Answer query={workloads}>
        {(body) => <Workloads workloads={body.workloads} report={report.data?.workloads ?? []} />}
      </Answer>
    </Page>
  );
}

function Workloads({
  workloads,
  report,
}: {
  workloads: readonly Workload[];
  report: readonly Propagation[];
}) {
  const [params, change] = useParams();
  const chosen = workloads.find(({ name }) => name === params.get('workload'));
  if (workloads.length === 0) {
    return (
      <Empty title="No workload has sent spans in this time">
        Give a program a sidecar, or send spans by OTLP at port 4317 (gRPC) or 4318 (HTTP), or Zipkin’s at
        9411. <code>make demo</code> starts a bank with both.
      </Empty>
    );
  }
  return (
    <>
      <LinkLegend />
      <WorkloadTable
        workloads={workloads}
        report={report}
        chosen={chosen?.name}
        onChoose={(workload) => change({ workload }, { keep: true })}
      />
      {chosen && (
        <WorkloadDetails
          workload={chosen}
          propagation={report.find(({ workload }) => workload === chosen.name)}
        />
      )}
    </>
  );
}
