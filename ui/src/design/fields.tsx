/** Fields of a form that asks for spans. */

/** What a choice of such a field may be. */
export const choices = {
  status: ['error', 'ok', 'unset'],
  kind: ['server', 'client', 'internal', 'producer', 'consumer'],
  linkKind: ['propagated', 'exact', 'inferred', 'unknown'],
} as const;

interface Field {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

/** Any text; `list` is the id of {@link Options} that it may be one of. */
export function TextField({
  label,
  value,
  onChange,
  ...rest
}: Field & { placeholder?: string; list?: string }) {
  return (
    <label className="field">
      <span>{label}</span>
      <input
        value={value}
        {...rest}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

/** One of some values, or any. */
export function Choice({ label, value, onChange, values }: Field & { values: readonly string[] }) {
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">any</option>
        {values.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
}

/** What a text may be one of. */
export function Options({ id, values }: { id: string; values: readonly string[] }) {
  return (
    <datalist id={id}>
      {[...new Set(values)].map((value) => (
        <option key={value} value={value} />
      ))}
    </datalist>
  );
}
