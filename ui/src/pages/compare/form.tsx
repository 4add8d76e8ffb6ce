import { type SubmitEvent, useState } from 'react';

import { fromLocal } from '../../format/local.ts';
import { href } from '../../url/href.ts';
import { navigate } from '../../url/location.ts';
import { beforeAndAfter } from './side.ts';

const lengths = [
  ['5', '5 minutes'],
  ['15', '15 minutes'],
  ['60', '1 hour'],
  ['1440', '1 day'],
] as const;

/** What stands on the two sides; or one search, before and after a moment. */
export function SidesForm({ a, b }: { a: string; b: string }) {
  const [sides, setSides] = useState({ a, b });
  const [at, setAt] = useState('');
  const [minutes, setMinutes] = useState('15');
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    navigate(href('/compare', sides));
  };
  const split = () => {
    const length = BigInt(minutes) * 60_000_000_000n;
    navigate(href('/compare', beforeAndAfter(sides.a, BigInt(fromLocal(at)), length)));
  };
  const side = (name: 'a' | 'b') => (
    <label className="field">
      <span>{name === 'a' ? 'A' : 'B'}: trace ids, or a search</span>
      <input
        className="mono"
        value={sides[name]}
        placeholder={
          name === 'a' ? 'service=edge&where=service.version=1.4' : 'service=edge&where=service.version=1.5'
        }
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setSides({ ...sides, [name]: event.target.value })}
      />
    </label>
  );
  return (
    <form className="sides" aria-label="Sides" onSubmit={submit}>
      {side('a')}
      {side('b')}
      <div className="toolbar">
        <button type="submit" className="primary">
          Compare
        </button>
        <button type="button" onClick={() => navigate(href('/compare', { a: sides.b, b: sides.a }))}>
          Swap
        </button>
      </div>
      <details>
        <summary>Before and after a moment</summary>
        <div className="toolbar">
          <label className="check">
            The search of A, before and after
            <input
              type="datetime-local"
              step="1"
              value={at}
              onChange={(event) => setAt(event.target.value)}
            />
          </label>
          <label className="check">
            for
            <select value={minutes} onChange={(event) => setMinutes(event.target.value)}>
              {lengths.map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
            each
          </label>
          <button type="button" disabled={at === ''} onClick={split}>
            Compare
          </button>
        </div>
      </details>
    </form>
  );
}
