import { useQuery } from '@tanstack/react-query';
import { type ReactNode, type SubmitEvent, useState } from 'react';

import { operationsOf } from '../../api/queries.ts';
import { Choice, choices, Options, TextField } from '../../design/fields.tsx';
import { withQuery } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { navigate } from '../../url/location.ts';
import { useDraft } from '../../url/use-draft.ts';
import { Conditions } from './conditions.tsx';
import { type Draft, draftOf, type Field, narrowing, orderOf, paramsOf } from './question.ts';
import { TimeFields } from './time-fields.tsx';

/** Every field of a search. Choices count at once, texts with Enter or the button. */
export function SearchForm({ params, services }: { params: URLSearchParams; services: readonly string[] }) {
  const [draft, setDraft] = useDraft(params, draftOf);
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
  const text = (field: Field) => ({
    value: draft[field],
    onChange: (value: string) => set({ [field]: value }),
  });
  const choice = (field: keyof typeof choices) => ({
    value: draft[field],
    values: choices[field],
    onChange: (value: string) => choose({ [field]: value }),
  });
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
        <TextField label="Service" placeholder="any" list="services" {...text('service')} />
        <Options id="services" values={services} />
        <TextField label="Operation" placeholder="any" list="operations" {...text('operation')} />
        <Options id="operations" values={operations.data?.operations.map(({ name }) => name) ?? []} />
        <Pair>
          <Choice label="Status" {...choice('status')} />
          <Choice label="Kind" {...choice('kind')} />
        </Pair>
        <Conditions
          where={draft.where}
          onChange={(where) => set({ where })}
          onRemove={(where) => choose({ where })}
        />
        <Range label="Span took">
          <TextField label="at least" placeholder="300ms" {...text('minDuration')} />
          <TextField label="at most" placeholder="5s" {...text('maxDuration')} />
        </Range>
        <Range label="Trace took">
          <TextField label="at least" placeholder="1s" {...text('minTraceDuration')} />
          <TextField label="at most" placeholder="1m" {...text('maxTraceDuration')} />
        </Range>
        <TimeFields draft={draft} onSet={set} onChoose={choose} />
        <Pair>
          <Choice label="Link" {...choice('linkKind')} />
          <TextField label="Trace id begins" placeholder="4bab35" {...text('traceId')} />
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
