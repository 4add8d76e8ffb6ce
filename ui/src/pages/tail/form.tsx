import type { SubmitEvent } from 'react';

import { Choice, choices, Options, TextField } from '../../design/fields.tsx';
import { withQuery } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { navigate } from '../../url/location.ts';
import { useDraft } from '../../url/use-draft.ts';
import { type Draft, draftOf, type Field, paramsOf } from './question.ts';

/** What spans have to be like. Choices count at once, texts with Enter or the button. */
export function TailForm({ params, services }: { params: URLSearchParams; services: readonly string[] }) {
  const [draft, setDraft] = useDraft(params, draftOf);
  const ask = (next: Draft) => navigate(withQuery('/tail', paramsOf(next)));
  const choose = (values: Partial<Draft>) => {
    setDraft({ ...draft, ...values });
    ask({ ...draft, ...values });
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    ask(draft);
  };
  const text = (field: Field) => ({
    value: draft[field],
    onChange: (value: string) => setDraft({ ...draft, [field]: value }),
  });
  const choice = (field: keyof typeof choices) => ({
    value: draft[field],
    values: choices[field],
    onChange: (value: string) => choose({ [field]: value }),
  });
  return (
    <form className="tail-form" aria-label="What to follow" onSubmit={submit}>
      <TextField label="Service" placeholder="any" list="tail-services" {...text('service')} />
      <Options id="tail-services" values={services} />
      <TextField label="Operation" placeholder="any" {...text('operation')} />
      <Choice label="Status" {...choice('status')} />
      <Choice label="Kind" {...choice('kind')} />
      <Choice label="Link" {...choice('linkKind')} />
      <TextField label="Took at least" placeholder="300ms" {...text('minDuration')} />
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
