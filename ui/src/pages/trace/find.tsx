import { useEffect, useState } from 'react';

import { count } from '../../format/number.ts';
import type { View } from './view.ts';

/** How long to wait for the next key before looking. */
const PAUSE = 150;

/** Finding spans by text: Enter goes to the next one, Shift+Enter to the one before. */
export function Find({ view }: { view: View }) {
  const [text, setText] = useState(view.text);
  const { change } = view;
  useEffect(() => {
    if (text === view.text) return;
    const timer = setTimeout(() => change({ find: text }), PAUSE);
    return () => clearTimeout(timer);
  }, [text, view.text, change]);
  const go = (step: 1 | -1) => {
    const next = following(view, step);
    if (next !== undefined) view.select(next);
  };
  return (
    <span className="find">
      <input
        type="search"
        aria-label="Find spans"
        aria-describedby="found"
        placeholder="Find: name, id, attribute"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') go(event.shiftKey ? -1 : 1);
        }}
      />
      <span id="found" role="status" className="muted number">
        {view.text !== '' && `${count(view.found.size)} found`}
      </span>
    </span>
  );
}

/** The next found span in the order of the tree, round about. */
function following({ tree, found, selected }: View, step: 1 | -1): number | undefined {
  const inOrder = tree.order.filter((span) => found.has(span));
  if (selected === undefined) return step === 1 ? inOrder[0] : inOrder.at(-1);
  const here = tree.place[selected] ?? 0;
  const ahead = (span: number) => ((tree.place[span] ?? 0) - here) * step > 0;
  return step === 1 ? (inOrder.find(ahead) ?? inOrder[0]) : (inOrder.findLast(ahead) ?? inOrder.at(-1));
}
