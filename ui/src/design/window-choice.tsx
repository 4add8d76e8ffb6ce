import { fromLocal, toLocal } from '../format/local.ts';
import { useParams } from '../url/params.ts';

const windows = [
  ['1m', '1 minute'],
  ['5m', '5 minutes'],
  ['15m', '15 minutes'],
  ['1h', '1 hour'],
] as const;

/** What live views look at if the URL does not say. */
export const USUAL = '15m';

/** The window of a live view, as the API is asked for it. */
export function useWindow(): { window: string; end: string | null } {
  const [params] = useParams();
  return { window: params.get('window') ?? USUAL, end: params.get('end') };
}

/** The same window as a search is asked for it. */
export function useSearchWindow(): { lookback: string } | { end: string } {
  const { window, end } = useWindow();
  return end === null ? { lookback: window } : { end };
}

interface Props {
  /** Longer windows than the live ones, where there are any. */
  longer?: readonly (readonly [string, string])[];
}

/** How long a window, and whether it ends now or at a time to travel to. */
export function WindowChoice({ longer = [] }: Props) {
  const [, change] = useParams();
  const { window, end } = useWindow();
  return (
    <div className="toolbar">
      <label className="check">
        <span className="muted">{end === null ? 'Last' : 'The'}</span>
        <select
          aria-label="Window"
          value={window}
          onChange={(event) => change({ window: event.target.value === USUAL ? null : event.target.value })}
        >
          {[...windows, ...longer].map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {end === null ? (
        <button type="button" onClick={() => change({ end: `${BigInt(Date.now()) * 1_000_000n}` })}>
          Hold
        </button>
      ) : (
        <>
          <label className="check">
            <span className="muted">until</span>
            <input
              type="datetime-local"
              step="1"
              value={toLocal(end).slice(0, 19)}
              onChange={(event) => change({ end: fromLocal(event.target.value) || end })}
            />
          </label>
          <button type="button" className="primary" onClick={() => change({ end: null })}>
            Live
          </button>
        </>
      )}
    </div>
  );
}
