import { useEffect, useReducer, useState } from 'react';

import { follow, Refused } from '../../api/client.ts';
import type { TailSpan } from '../../api/types.ts';
import { type News, nothing, type Received, received } from './received.ts';

/** How often what has arrived is shown, in milliseconds: spans may come by the thousand. */
const SHOW = 250;
/** How long until a collector that went away is asked again, in milliseconds. */
const AGAIN = 2_000;

/** Whether spans are coming: `away` while the collector does not answer. */
export type State = 'asking' | 'following' | 'away' | Refused;

/** Follows the spans of a question for as long as they are looked at. */
export function useTail(asked: string): [Received, State, (news: News) => void] {
  const [spans, tell] = useReducer(received, nothing);
  const [state, setState] = useState<State>('asking');
  useEffect(() => {
    const ended = new AbortController();
    let fresh: TailSpan[] = [];
    let missed = 0;
    let event = '';
    const take = (line: string) => {
      if (line.startsWith('event: ')) event = line.slice('event: '.length);
      if (!line.startsWith('data: ')) return;
      const data = JSON.parse(line.slice('data: '.length)) as unknown;
      if (event === 'span') fresh.push(data as TailSpan);
      if (event === 'lost') missed += (data as { spans: number }).spans;
    };
    const show = setInterval(() => {
      if (fresh.length === 0 && missed === 0) return;
      tell({ what: 'arrived', spans: fresh, missed });
      [fresh, missed] = [[], 0];
    }, SHOW);
    void keepFollowing(asked, take, setState, ended.signal);
    return () => {
      ended.abort();
      clearInterval(show);
      tell({ what: 'clear' });
    };
  }, [asked]);
  return [spans, state, tell];
}

/** Until `signal`, or until the collector refuses. */
async function keepFollowing(
  asked: string,
  take: (line: string) => void,
  setState: (state: State) => void,
  signal: AbortSignal,
): Promise<void> {
  const isOver = () => signal.aborted;
  setState('asking');
  while (!isOver()) {
    try {
      await follow('/tail', new URLSearchParams(asked), take, () => setState('following'), signal);
    } catch (error) {
      if (error instanceof Refused) {
        setState(error);
        return;
      }
    }
    if (isOver()) return;
    setState('away');
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}
