import { fromLocal, toLocal } from '../../format/local.ts';
import { type Draft, EVER } from './question.ts';

const lookbacks = [
  ['5m', 'last 5 minutes'],
  ['15m', 'last 15 minutes'],
  ['1h', 'last hour'],
  ['6h', 'last 6 hours'],
  ['1d', 'last day'],
  ['7d', 'last week'],
  [EVER, 'all that is kept'],
] as const;

const BETWEEN = 'between';

interface Props {
  draft: Draft;
  onSet: (values: Partial<Draft>) => void;
  onChoose: (values: Partial<Draft>) => void;
}

/** When: the time until now, or between two moments. */
export function TimeFields({ draft, onSet, onChoose }: Props) {
  const between = draft.start !== '' || draft.end !== '';
  const known = lookbacks.some(([value]) => value === draft.lookback);
  const choose = (value: string) => {
    if (value !== BETWEEN) {
      onChoose({ lookback: value, start: '', end: '' });
      return;
    }
    const now = BigInt(Date.now()) * 1_000_000n;
    onSet({ start: String(now - 3_600_000_000_000n), end: String(now), lookback: '' });
  };
  const moment = (field: 'start' | 'end', label: string) => (
    <label className="field">
      <span>{label}</span>
      <input
        type="datetime-local"
        step="0.001"
        value={toLocal(draft[field])}
        onChange={(event) => onSet({ [field]: fromLocal(event.target.value) })}
      />
    </label>
  );
  return (
    <>
      <label className="field">
        <span>Time</span>
        <select value={between ? BETWEEN : draft.lookback} onChange={(event) => choose(event.target.value)}>
          {lookbacks.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
          {!known && !between && <option value={draft.lookback}>last {draft.lookback}</option>}
          <option value={BETWEEN}>between …</option>
        </select>
      </label>
      {between && (
        <>
          {moment('start', 'from')}
          {moment('end', 'to')}
        </>
      )}
    </>
  );
}
