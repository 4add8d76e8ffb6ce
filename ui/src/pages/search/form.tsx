import { useQuery } from '@tanstack/react-query';
import { type ReactNode, type SubmitEvent, useState } from 'react';

import { operationsOf } from '../../api/queries.ts';
import { withQuery } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { navigate } from '../../url/location.ts';
import { Conditions } from './conditions.tsx';
import { type Draft, draftOf, type Field, narrowing, orderOf, paramsOf } from './question.ts';
import { TimeFields } from './time-fields.tsx';

/** Every field of a search. Choices count at once, texts with Enter or the button. */
export function SearchForm({ params, services }: { params: URLSearchParams; services: readonly string[] }) {
  const asked = params.toString();
  const [draft, setDraft] = useState<Draft>(() => draftOf(params));
  const [known, setKnown] = useState(asked);
  if (asked !== known) {
    // the search was changed elsewhere: by the scatter, a link, or going back
    setKnown(asked);
    setDraft(draftOf(params));
  }
  // a phone shows the fields when asked to; elsewhere they are always there
  const [open, setOpen] = useState(false);
  const said = narrowing(params).length;
  const operations = useQuery(operationsOf(draft.service));

  const ask = (next: Draft) => navigate(withQuery('/search', paramsOf(next, orderOf(params))));
  const set = (values: Partial<Draft>) => setDraft({ ...draft, ...values });
  const choose = (values: Partial<Draft>) => {
    set(values);
    ask({ ...draft, ...values });
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    ask(draft);
  };
  const text = (field: Field, label: string, placeholder?: string, list?: string) => (
    <label className="field">
      <span>{label}</span>
      <input
        value={draft[field]}
        list={list}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => set({ [field]: event.target.value })}
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
    <form className={`search-form ${open ? 'is-open' : ''}`} aria-label="Search for traces" onSubmit={submit}>
      <div className="search-title">
        <h1>Search</h1>
        <button
          type="button"
          className="search-toggle"
          aria-expanded={open}
          aria-controls="fields"
          onClick={() => setOpen(!open)}
        >
          {open ? 'Hide fields' : `Fields${said > 0 ? ` (${said} set)` : ''}`}
        </button>
      </div>
      <div id="fields" className="search-fields">
        {text('service', 'Service', 'any', 'services')}
        <Options id="services" values={services} />
        {text('operation', 'Operation', 'any', 'operations')}
        <Options id="operations" values={operations.data?.operations.map(({ name }) => name) ?? []} />
        <Pair>
          {choice('status', 'Status', ['error', 'ok', 'unset'])}
          {choice('kind', 'Kind', ['server', 'client', 'internal', 'producer', 'consumer'])}
        </Pair>
        <Conditions
          where={draft.where}
          onChange={(where) => set({ where })}
          onRemove={(where) => choose({ where })}
        />
        <Range label="Span took">
          {text('minDuration', 'at least', '300ms')}
          {text('maxDuration', 'at most', '5s')}
        </Range>
        <Range label="Trace took">
          {text('minTraceDuration', 'at least', '1s')}
          {text('maxTraceDuration', 'at most', '1m')}
        </Range>
        <TimeFields draft={draft} onSet={set} onChoose={choose} />
        <Pair>
          {choice('linkKind', 'Link', ['propagated', 'exact', 'inferred', 'unknown'])}
          {text('traceId', 'Trace id begins', '4bab35')}
        </Pair>
        <div className="toolbar">
          <button type="submit" className="primary">
            Search
          </button>
          <Link className="button" href="/search">
            Clear
          </Link>
        </div>
      </div>
    </form>
  );
}

const Pair = ({ children }: { children: ReactNode }) => <div className="pair">{children}</div>;

function Range({ label, children }: { label: string; children: ReactNode }) {
  return (
    <fieldset>
      <legend>{label}</legend>
      <div className="pair">{children}</div>
    </fieldset>
  );
}

function Options({ id, values }: { id: string; values: readonly string[] }) {
  return (
    <datalist id={id}>
      {[...new Set(values)].map((value) => (
        <option key={value} value={value} />
      ))}
    </datalist>
  );
}
