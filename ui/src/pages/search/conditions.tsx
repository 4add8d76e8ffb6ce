interface Props {
  where: readonly string[];
  onChange: (where: string[]) => void;
  /** Taking a condition away asks at once. */
  onRemove: (where: string[]) => void;
}

/** What spans have to say, one condition a line. There is always an empty one to begin with. */
export function Conditions({ where, onChange, onRemove }: Props) {
  const lines = where.at(-1) === '' ? where : [...where, ''];
  return (
    <fieldset>
      <legend>Attributes</legend>
      {lines.map((condition, index) => (
        <div key={index} className="condition">
          <input
            className="mono"
            value={condition}
            aria-label={`Condition ${index + 1}`}
            aria-describedby="conditions-help"
            placeholder={index === 0 ? 'http.response.status_code>=500' : 'and …'}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) =>
              onChange(lines.map((each, place) => (place === index ? event.target.value : each)))
            }
          />
          {condition !== '' && (
            <button
              type="button"
              className="plain"
              aria-label={`Remove condition ${index + 1}`}
              onClick={() => onRemove(lines.filter((_, place) => place !== index))}
            >
              ✕
            </button>
          )}
        </div>
      ))}
      <p id="conditions-help" className="muted">
        <code>key=value</code>, <code>key&gt;=500</code>, or <code>key</code> alone for presence
      </p>
    </fieldset>
  );
}
