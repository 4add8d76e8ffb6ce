import type { Propagation, Workload } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { LinkShares } from '../../design/link-shares.tsx';
import { count, percent, rate } from '../../format/number.ts';
import { ago } from '../../format/time.ts';
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
  return (
    <section className="panel wide" aria-label="Workloads">
      <table className="workloads">
        <thead>
          <tr>
            <th scope="col">Workload</th>
            <th scope="col" className="number">
              Instances
            </th>
            <th scope="col">Sidecar</th>
            <th scope="col" className="number">
              Spans
            </th>
            <th scope="col">Last seen</th>
            <th scope="col">Losses</th>
            <th scope="col">Links of its calls</th>
            <th scope="col">In words</th>
          </tr>
        </thead>
        <tbody>
          {worstFirst.map((workload) => (
            <tr key={workload.name} className={workload.name === chosen ? 'is-selected' : undefined}>
              <td>
                <button
                  type="button"
                  className="plain"
                  aria-pressed={workload.name === chosen}
                  onClick={() => onChoose(workload.name)}
                >
                  {workload.name}
                </button>
              </td>
              <td className="number">{count(workload.instances.length)}</td>
              <td>{workload.versions.join(', ') || <span className="muted">none</span>}</td>
              <td className="number">{rate(workload.spansPerSecond)}</td>
              <td className="nowrap">{ago(Number(workload.lastSeen))}</td>
              <td className="nowrap">
                <Losses losses={workload.losses} />
              </td>
              <td>
                <LinkShares links={workload.links} />
              </td>
              <td>
                <Words
                  workload={workload}
                  propagation={report.find((each) => each.workload === workload.name)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Losses({ losses }: { losses: Workload['losses'] }) {
  if (losses === null) return <span className="muted">not told</span>;
  const lost = losses.filter((each) => each.count > 0);
  if (lost.length === 0) return <span className="muted">none</span>;
  return lost.map(({ name, count: value }) => (
    <Badge key={name} tone="warn">
      {count(value)} {name.replaceAll('_', ' ')}
    </Badge>
  ));
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
