import './tail.css';

import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';

import { Refused } from '../../api/client.ts';
import { services as servicesQuery } from '../../api/queries.ts';
import { Trouble } from '../../design/answer.tsx';
import { Empty } from '../../design/empty.tsx';
import { hues } from '../../design/hues.ts';
import { Page } from '../../design/page.tsx';
import { count, plural } from '../../format/number.ts';
import { usePlace } from '../../url/location.ts';
import { TailForm } from './form.tsx';
import { Lines } from './lines.tsx';
import { draftOf, paramsOf } from './question.ts';
import { KEPT, type Received } from './received.ts';
import { type State, useTail } from './use-tail.ts';

/** Spans as they arrive. What is followed is in the URL. */
export function TailPage() {
  const { params } = usePlace();
  const services = useQuery(servicesQuery());
  const names = useMemo(() => services.data?.services.map(({ name }) => name) ?? [], [services.data]);
  const [spans, state, tell] = useTail(paramsOf(draftOf(params)).toString());
  const isPaused = spans.waiting !== null;
  const colours = useMemo(
    () => hues([...names, ...spans.shown.map(({ span }) => span.service)]),
    [names, spans.shown],
  );
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === 'p') tell({ what: isPaused ? 'go on' : 'pause' });
      if (event.key === 'c') tell({ what: 'clear' });
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [isPaused, tell]);
  const tools = (
    <div className="toolbar">
      <span className="muted" role="status">
        {inWords(spans, state)}
      </span>
      <button
        type="button"
        aria-keyshortcuts="p"
        onClick={() => tell({ what: isPaused ? 'go on' : 'pause' })}
      >
        {isPaused ? 'Go on' : 'Pause'} <kbd>p</kbd>
      </button>
      <button type="button" aria-keyshortcuts="c" onClick={() => tell({ what: 'clear' })}>
        Clear <kbd>c</kbd>
      </button>
    </div>
  );
  return (
    <Page title="Tail" tools={tools}>
      <TailForm params={params} services={names} />
      {state instanceof Refused ? (
        <Trouble error={state} />
      ) : spans.shown.length > 0 ? (
        <Lines lines={spans.shown} colours={colours} />
      ) : (
        <Empty title={isPaused ? 'Paused' : 'Waiting for spans'}>
          Spans are shown as they arrive, about a second after a request has ended; the latest {KEPT} stay.
        </Empty>
      )}
    </Page>
  );
}

function inWords({ waiting, waitingCount, arrived, missed }: Received, state: State): string {
  if (state instanceof Refused) return 'Not following';
  if (state === 'away') return 'The collector does not answer; it is asked again';
  const late = missed > 0 ? `, ${count(missed)} missed: too many at once` : '';
  if (waiting !== null) return `Paused: ${plural(waitingCount, 'span')} waiting${late}`;
  return state === 'asking' ? 'Asking the collector …' : `Following: ${plural(arrived, 'span')}${late}`;
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName);
