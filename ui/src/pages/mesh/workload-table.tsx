import type { Propagation, Workload } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { LinkShares } from '../../design/link-shares.tsx';
import { type Column, Table } from '../../design/table.tsx';
import { bytes, count, percent, processors, rate } from '../../format/number.ts';
import { ago } from '../../format/time.ts';
import { addedLatency, addedLatencyHint } from './added-latency.ts';
import { Losses } from './losses.tsx';
import { verdicts } from './verdicts.ts';

interface Props {
  workloads: readonly Workload[];
  report: readonly Propagation[];
  chosen: string | undefined;
  onChoose: (workload: string) => void;
}

/** A line for each workload; those with warnings first. */
export function WorkloadTable({ workloads, report, chosen, onChoose }: Props) {
  const warnings = ({ findings }: Workload) =>
    findings.filter(({ severity }) => severity === 'warning').length;
  const worstFirst = workloads.toSorted((a, b) => warnings(b) - warnings(a) || b.spans - a.spans);
  const columns: Column<Workload>[] = [
    {
      head: 'Workload',
      cell: ({ name }) => (
        <button type="button" className="plain" aria-pressed={name === chosen} onClick={() => onChoose(name)}>
          {name}
        </button>
      ),
    },
    { head: 'Instances', numeric: true, cell: ({ instances }) => count(instances.length) },
    { head: 'Sidecar', cell: ({ versions }) => versions.join(', ') || <span className="muted">none</span> },
    { head: 'Spans', numeric: true, cell: ({ spansPerSecond }) => rate(spansPerSecond) },
    { head: 'Last seen', className: 'nowrap', cell: ({ lastSeen }) => ago(Number(lastSeen)) },
    { head: 'Losses', className: 'nowrap', cell: ({ losses }) => <Losses losses={losses} /> },
    {
      head: 'Added, 99 %',
      numeric: true,
      cell: ({ sidecars }) => sidecars && addedLatency(sidecars.addedLatency),
      hint: ({ sidecars }) => (sidecars ? addedLatencyHint(sidecars.addedLatency) : undefined),
    },
    { head: 'CPU', numeric: true, cell: ({ sidecars }) => sidecars && processors(sidecars.cpu) },
    { head: 'Memory', numeric: true, cell: ({ sidecars }) => sidecars && bytes(sidecars.memory) },
    { head: 'Links of its calls', cell: ({ links }) => <LinkShares links={links} /> },
    {
      head: 'In words',
      cell: (workload) => (
        <Words workload={workload} propagation={report.find((each) => each.workload === workload.name)} />
      ),
    },
  ];
  return (
    <section className="panel wide" tabIndex={0} aria-label="Workloads">
      <Table
        className="workloads"
        columns={columns}
        lines={worstFirst}
        id={({ name }) => name}
        isSelected={({ name }) => name === chosen}
      />
    </section>
  );
}

function Words({ workload, propagation }: { workload: Workload; propagation: Propagation | undefined }) {
  const warning = workload.findings.find(({ severity }) => severity === 'warning');
  const unknown =
    propagation && propagation.links.calls > 0 && propagation.links.counts.unknown / propagation.links.calls;
  return (
    <>
      {propagation && (
        <Badge tone={propagation.verdict === 'partly' ? 'warn' : 'plain'}>
          {verdicts[propagation.verdict]}
        </Badge>
      )}{' '}
      {warning ? warning.text : unknown ? `${percent(unknown)} of its calls without a known cause` : ''}
    </>
  );
}
