import './map.css';

import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { graph as graphQuery } from '../../api/queries.ts';
import type { Graph } from '../../api/types.ts';
import { Answer } from '../../design/answer.tsx';
import { Badge } from '../../design/badge.tsx';
import { Empty } from '../../design/empty.tsx';
import { hues } from '../../design/hues.ts';
import { Page } from '../../design/page.tsx';
import { useWindow, WindowChoice } from '../../design/window-choice.tsx';
import { count } from '../../format/number.ts';
import { Link } from '../../url/link.tsx';
import { useParams } from '../../url/params.ts';
import { Calls } from './calls.tsx';
import { Drawing } from './drawing.tsx';
import { around } from './layout.ts';
import { NodePanel } from './node-panel.tsx';

const longer = [
  ['6h', '6 hours'],
  ['1d', 'day'],
  ['7d', 'week'],
] as const;

/** Who calls whom, live or at a time gone by. */
export function MapPage() {
  const query = useQuery(graphQuery(useWindow()));
  return (
    <Page title="Map" tools={<WindowChoice longer={longer} />}>
      <Answer query={query}>{(graph) => <Services graph={graph} />}</Answer>
    </Page>
  );
}

function Services({ graph }: { graph: Graph }) {
  const [params, change] = useParams();
  const focus = params.get('focus') ?? '';
  const text = params.get('find') ?? '';
  const near = useMemo(() => (focus === '' ? undefined : around(graph, focus)), [graph, focus]);
  const colours = useMemo(() => hues(graph.nodes.map(({ id }) => id)), [graph]);
  if (graph.nodes.length === 0) return <NoCalls />;
  const shown = near ?? graph;
  const selected = graph.nodes.find(({ id }) => id === focus);
  return (
    <>
      <div className="toolbar">
        <input
          type="search"
          aria-label="Find a service"
          placeholder="Find a service"
          list="nodes"
          value={text}
          onChange={(event) => {
            const wanted = event.target.value;
            const exact = graph.nodes.find(({ name }) => name === wanted);
            change(exact ? { find: null, focus: exact.id } : { find: wanted });
          }}
        />
        <datalist id="nodes">
          {graph.nodes.map(({ id, name }) => (
            <option key={id} value={name} />
          ))}
        </datalist>
        {selected && (
          <button type="button" onClick={() => change({ focus: null })}>
            Whole map
          </button>
        )}
        {graph.source === 'store' && <Badge>from stored traces: calls only, no rates</Badge>}
        {graph.uncounted > 0 && <Badge tone="warn">{count(graph.uncounted)} calls under “other”</Badge>}
      </div>
      <div className="map">
        <Drawing
          graph={shown}
          colours={colours}
          focus={selected?.id}
          text={text}
          onFocus={(id) => change({ focus: id, find: null }, { keep: true })}
        />
        {selected && <NodePanel node={selected} graph={graph} />}
      </div>
      <Calls graph={shown} />
    </>
  );
}

function NoCalls() {
  return (
    <Empty title="No calls in this time">
      Choose a longer window, or <Link href="/mesh">see what each workload sends</Link>.
    </Empty>
  );
}
