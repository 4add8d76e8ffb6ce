import { type ReactNode, useMemo } from 'react';

import type { Comparison } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { Errors } from '../../design/errors.tsx';
import { hues } from '../../design/hues.ts';
import { ServiceName } from '../../design/service.tsx';
import { type Column, Table } from '../../design/table.tsx';
import { duration } from '../../format/duration.ts';
import { operationText } from '../../trace/words.ts';

type Line = Comparison['operations'][number];
type Side = Line['a'];

const verdicts: Record<Line['verdict'], string> = {
  only_a: 'only in A',
  only_b: 'only in B',
  slower: 'B slower',
  faster: 'B faster',
  same: 'same',
};

/** Operation by operation; what makes the largest difference to how long a trace takes comes first. */
export function Differences({ comparison }: { comparison: Comparison }) {
  const { operations } = comparison;
  const colours = useMemo(() => hues(operations.map(({ service }) => service)), [operations]);
  const largest = Math.max(1, ...operations.map((line) => Math.abs(difference(line))));
  const columns: Column<Line>[] = [
    {
      head: 'Service',
      cell: ({ service }) => <ServiceName name={service} hue={colours.get(service)} />,
    },
    { head: 'Operation', cell: operationText },
    { head: 'B against A', cell: ({ verdict }) => <Verdict verdict={verdict} /> },
    { head: 'Critical time a trace', numeric: true, cell: (line) => signed(difference(line)) },
    {
      head: 'Difference drawn',
      drawn: true,
      cell: (line) => <Difference share={difference(line) / largest} />,
    },
    ...bothSides('Duration', (side) => duration(side.duration)),
    ...bothSides('Spans', (side) => side.spansPerTrace.toFixed(1)),
    ...bothSides('Errors', (side) => <Errors ratio={side.errorRatio} />),
  ];
  return (
    <section className="panel wide" tabIndex={0} aria-labelledby="differences">
      <h2 id="differences">Where they differ</h2>
      <Table
        className="differences"
        columns={columns}
        lines={operations}
        id={({ service, kind, operation }) => `${service} ${kind} ${operation}`}
      />
    </section>
  );
}

function Verdict({ verdict }: Pick<Line, 'verdict'>) {
  const tone = verdict === 'slower' ? 'warn' : verdict === 'faster' ? 'good' : 'plain';
  return <Badge tone={tone}>{verdicts[verdict]}</Badge>;
}

const difference = ({ a, b }: Line) => b.criticalTime - a.criticalTime;
const signed = (nanos: number) => (nanos > 0 ? `+${duration(nanos)}` : duration(nanos));

/** A column for each side, empty where the operation is not. */
const bothSides = (head: string, cell: (side: Side) => ReactNode): Column<Line>[] =>
  (['a', 'b'] as const).map((side) => ({
    head: `${head} ${side.toUpperCase()}`,
    numeric: true,
    cell: (line) => line[side].spans > 0 && cell(line[side]),
  }));

/** To the right what B takes longer, to the left what it takes less. */
function Difference({ share }: { share: number }) {
  const width = `${Math.abs(share) * 50}%`;
  return (
    <span className="difference" aria-hidden="true">
      <span
        className={share > 0 ? 'is-slower' : 'is-faster'}
        style={share > 0 ? { left: '50%', width } : { right: '50%', width }}
      />
    </span>
  );
}
