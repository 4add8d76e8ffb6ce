import './compare.css';

import { useQuery } from '@tanstack/react-query';

import { comparison } from '../../api/queries.ts';
import type { Group } from '../../api/types.ts';
import { Answer } from '../../design/answer.tsx';
import { Empty } from '../../design/empty.tsx';
import { Page } from '../../design/page.tsx';
import { usePlace } from '../../url/location.ts';
import { Differences } from './differences.tsx';
import { SidesForm } from './form.tsx';
import { group } from './side.ts';
import { Totals } from './totals.tsx';

/** Two traces, or two sets of traces, side by side. */
export function ComparePage() {
  const { params } = usePlace();
  const said = { a: params.get('a') ?? '', b: params.get('b') ?? '' };
  const [a, b] = [group(said.a), group(said.b)];
  return (
    <Page title="Compare">
      <SidesForm key={`${said.a} ${said.b}`} a={said.a} b={said.b} />
      {a && b ? (
        <Compared a={a} b={b} />
      ) : (
        <Empty title={said.a || said.b ? 'One side is missing' : 'Nothing to compare yet'}>
          Give each side a trace id, or the query of a search. The search page lets you pick two traces from
          its results.
        </Empty>
      )}
    </Page>
  );
}

function Compared({ a, b }: { a: Group; b: Group }) {
  const query = useQuery(comparison(a, b));
  return (
    <Answer query={query}>
      {(body) =>
        body.a.traces === 0 || body.b.traces === 0 ? (
          <Empty title={`No trace on side ${body.a.traces === 0 ? 'A' : 'B'}`}>
            Its search finds none. Try a longer time, or fewer conditions.
          </Empty>
        ) : (
          <>
            <Totals comparison={body} a={a} b={b} />
            <Differences comparison={body} />
          </>
        )
      }
    </Answer>
  );
}
