import { type SubmitEvent, useState } from 'react';

import { withQuery } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { navigate } from '../../url/location.ts';
import { type Draft, draftOf, type Field, paramsOf } from './question.ts';

/** What spans have to be like. Choices count at once, texts with Enter or the button. */
export function TailForm({ params, services }: { params: URLSearchParams; services: readonly string[] }) {
  const asked = params.toString();
  const [draft, setDraft] = useState<Draft>(() => draftOf(params));
  const [known, setKnown] = useState(asked);
  if (asked !== known) {
    // changed elsewhere: by a link, or going back
    setKnown(asked);
    setDraft(draftOf(params));
  }
  const ask = (next: Draft) => navigate(withQuery('/tail', paramsOf(next)));
  const choose = (values: Partial<Draft>) => {
    setDraft({ ...draft, ...values });
    ask({ ...draft, ...values });
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    ask(draft);
  };
  const text = (field: Field, label: string, placeholder: string, list?: string) => (
    <label className="field">
      <span>{label}</span>
      <input
        value={draft[field]}
        list={list}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setDraft({ ...draft, [field]: event.target.value })}
      />
    </label>
  );
  const choice = (field: Field, label: string, values: readonly string[]) => (
    <label className="field">
      <span>{label}</span>
      <select value={draft[field]} onChange={(event) => choose({ [field]: event.target.value })}>
        <option value="">any</option>
        {values.map((value) => (
          <option key={value}>{value}</option>
        ))}
      </select>
    </label>
  );
  return (
    <form className="tail-form" aria-label="What to follow" onSubmit={submit}>
      {text('service', 'Service', 'any', 'tail-services')}
      <datalist id="tail-services">
        {services.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {text('operation', 'Operation', 'any')}
      {choice('status', 'Status', ['error', 'ok', 'unset'])}
      {choice('kind', 'Kind', ['server', 'client', 'internal', 'producer', 'consumer'])}
      {choice('linkKind', 'Link', ['propagated', 'exact', 'inferred', 'unknown'])}
      {text('minDuration', 'Took at least', '300ms')}
      <label className="field tail-where">
        <span>Attributes, one condition</span>
        <input
          className="mono"
          value={draft.where[0] ?? ''}
          placeholder="http.response.status_code>=500"
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => setDraft({ ...draft, where: [event.target.value, ...draft.where.slice(1)] })}
        />
      </label>
      <label className="check">
        <input
          type="checkbox"
          checked={draft.roots}
          onChange={(event) => choose({ roots: event.target.checked })}
        />
        Beginnings of traces only
      </label>
      <div className="toolbar">
        <button type="submit" className="primary">
          Follow
        </button>
        <Link className="button" href="/tail">
          Everything
        </Link>
      </div>
    </form>
  );
}
