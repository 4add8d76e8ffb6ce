import { useMemo } from 'react';

import type { Comparison } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { hues } from '../../design/hues.ts';
import { ServiceName } from '../../design/service.tsx';
import { duration } from '../../format/duration.ts';
import { percent } from '../../format/number.ts';
import { operationText } from '../../trace/words.ts';

type Line = Comparison['operations'][number];

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
  return (
    <section className="panel wide" aria-labelledby="differences">
      <h2 id="differences">Where they differ</h2>
      <table className="differences">
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col">Operation</th>
            <th scope="col">B against A</th>
            <th scope="col" className="number">
              Critical time a trace
            </th>
            <th scope="col">
              <span className="hidden-visually">Difference drawn</span>
            </th>
            <th scope="col" className="number">
              Duration A
            </th>
            <th scope="col" className="number">
              Duration B
            </th>
            <th scope="col" className="number">
              Spans A
            </th>
            <th scope="col" className="number">
              Spans B
            </th>
            <th scope="col" className="number">
              Errors A
            </th>
            <th scope="col" className="number">
              Errors B
            </th>
          </tr>
        </thead>
        <tbody>
          {operations.map((line) => (
            <tr key={`${line.service} ${line.kind} ${line.operation}`}>
              <td>
                <ServiceName name={line.service} hue={colours.get(line.service)} />
              </td>
              <td>{operationText(line)}</td>
              <td>
                <Badge
                  tone={line.verdict === 'slower' ? 'warn' : line.verdict === 'faster' ? 'good' : 'plain'}
                >
                  {verdicts[line.verdict]}
                </Badge>
              </td>
              <td className="number">{signed(difference(line))}</td>
              <td>
                <Difference share={difference(line) / largest} />
              </td>
              <td className="number">{line.a.spans > 0 && duration(line.a.duration)}</td>
              <td className="number">{line.b.spans > 0 && duration(line.b.duration)}</td>
              <td className="number">{line.a.spans > 0 && line.a.spansPerTrace.toFixed(1)}</td>
              <td className="number">{line.b.spans > 0 && line.b.spansPerTrace.toFixed(1)}</td>
              <td className="number">{line.a.spans > 0 && <Errors ratio={line.a.errorRatio} />}</td>
              <td className="number">{line.b.spans > 0 && <Errors ratio={line.b.errorRatio} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const difference = ({ a, b }: Line) => b.criticalTime - a.criticalTime;
const signed = (nanos: number) => (nanos > 0 ? `+${duration(nanos)}` : duration(nanos));

function Errors({ ratio }: { ratio: number }) {
  return ratio > 0 ? <Badge tone="failed">✕ {percent(ratio)}</Badge> : <span className="muted">0 %</span>;
}

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
