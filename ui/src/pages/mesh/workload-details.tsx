import type { Counted, Propagation, Workload } from '../../api/types.ts';
import { LinkShares } from '../../design/link-shares.tsx';
import { type Column, Table } from '../../design/table.tsx';
import { bytes, count, processors, sure } from '../../format/number.ts';
import { ago } from '../../format/time.ts';
import { href } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { addedLatency, addedLatencyHint } from './added-latency.ts';
import { Losses } from './losses.tsx';

interface Props {
  workload: Workload;
  propagation: Propagation | undefined;
}

const marks = { good: '✓', info: 'i', warning: '⚠' } as const;

/** One workload: what to do about it, how its calls were joined, and its instances. */
export function WorkloadDetails({ workload, propagation }: Props) {
  const others = workload.findings.filter(({ text }) => text !== propagation?.text);
  return (
    <section className="panel workload" aria-label={workload.name}>
      <h2>
        {workload.name} <Link href={href('/search', { service: workload.name })}>traces</Link>{' '}
        <Link href={href('/map', { focus: workload.name })}>on the map</Link>
      </h2>
      <div className="workload-grid">
        <div>
          <h3>What to do</h3>
          <ul className="findings">
            {propagation && (
              <li>
                <span className={`mark ${propagation.verdict === 'partly' ? 'warn' : ''}`}>
                  {propagation.verdict === 'partly' ? '⚠' : '✓'}
                </span>
                <div>
                  {sentence(propagation.text)}{' '}
                  {propagation.fix && <strong>{sentence(propagation.fix)}</strong>}
                </div>
              </li>
            )}
            {others.map(({ severity, text, fix }) => (
              <li key={text}>
                <span className={`mark ${severity === 'warning' ? 'warn' : ''}`}>{marks[severity]}</span>
                <div>
                  {sentence(text)} {fix && <strong>{sentence(fix)}</strong>}
                </div>
              </li>
            ))}
          </ul>
          {workload.sidecars && workload.sidecars.unrecorded.length > 0 && (
            <p className="muted">Without a span: {named(workload.sidecars.unrecorded)}.</p>
          )}
        </div>
        {propagation && <Calls propagation={propagation} />}
      </div>
      <Instances instances={workload.instances} />
    </section>
  );
}

type Instance = Workload['instances'][number];

const instanceColumns: Column<Instance>[] = [
  { head: 'Instance', cell: ({ name }) => <code>{name}</code> },
  { head: 'Sidecar', cell: ({ version }) => version ?? <span className="muted">none</span> },
  {
    head: 'Began',
    className: 'nowrap',
    cell: ({ sidecar }) => sidecar && ago(Number(sidecar.since)),
  },
  { head: 'Last seen', className: 'nowrap', cell: ({ lastSeen }) => ago(Number(lastSeen)) },
  { head: 'Spans', numeric: true, cell: ({ sidecar }) => sidecar && count(sidecar.exported) },
  { head: 'Losses', className: 'nowrap', cell: ({ sidecar }) => <Losses losses={sidecar?.losses ?? null} /> },
  {
    head: 'Added, 99 %',
    numeric: true,
    cell: ({ sidecar }) => sidecar && addedLatency(sidecar.addedLatency),
    hint: ({ sidecar }) => (sidecar ? addedLatencyHint(sidecar.addedLatency) : undefined),
  },
  {
    head: 'CPU',
    numeric: true,
    cell: ({ sidecar }) => typeof sidecar?.cpu === 'number' && processors(sidecar.cpu),
  },
  { head: 'Memory', numeric: true, cell: ({ sidecar }) => sidecar && bytes(sidecar.memory) },
];

/** What each sidecar has counted since it began. */
function Instances({ instances }: { instances: readonly Instance[] }) {
  return (
    <div className="wide instances" role="region" aria-label="Its instances" tabIndex={0}>
      <h3>Instances, since they began</h3>
      <Table columns={instanceColumns} lines={instances} id={({ name }) => name} />
    </div>
  );
}

const columns: Column<Propagation['edges'][number]>[] = [
  { head: 'To', cell: ({ to }) => to },
  { head: 'Calls', numeric: true, cell: ({ links }) => count(links.calls) },
  { head: 'Links', cell: ({ links }) => <LinkShares links={links.counts} /> },
  {
    head: 'How',
    className: 'muted',
    cell: ({ links: { dialects, methods, reasons, meanConfidence } }) =>
      named([...dialects, ...methods, ...reasons]) +
      (meanConfidence === null ? '' : `, ${sure(meanConfidence)}`),
  },
];

function Calls({ propagation: { links, edges } }: { propagation: Propagation }) {
  return (
    <div className="wide" role="region" aria-label="Its calls" tabIndex={0}>
      <h3>Its calls</h3>
      <Table columns={columns} lines={edges} id={({ to }) => to} />
      {links.calls === 0 && <p className="muted">It makes no calls.</p>}
    </div>
  );
}

const named = (counted: readonly Counted[]) =>
  counted.map(({ name, count: value }) => `${name.replaceAll('_', ' ')} ${count(value)}`).join(', ');

/** The collector's own words begin small and end without a full stop. */
const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
