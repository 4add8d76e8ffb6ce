import { type SubmitEvent, useState } from 'react';

import { href, traceHref } from '../url/href.ts';
import { navigate } from '../url/location.ts';

/** To a trace by its id, or to those whose ids begin in this way. */
export function Jump() {
  const [text, setText] = useState('');
  const id = text.trim().toLowerCase();
  const valid = /^[0-9a-f]{1,32}$/.test(id);
  const go = (event: SubmitEvent) => {
    event.preventDefault();
    if (!valid) return;
    setText('');
    navigate(id.length === 32 ? traceHref(id) : href('/search', { traceId: id, lookback: 'all' }));
  };
  return (
    <form className="jump" role="search" onSubmit={go}>
      <input
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder="Trace id, or its beginning"
        aria-label="Open a trace by its id"
        aria-invalid={text !== '' && !valid}
        spellCheck={false}
        autoComplete="off"
        maxLength={40}
      />
    </form>
  );
}
