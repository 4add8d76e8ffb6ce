import { useCallback, useEffect, useRef, useState } from 'react';

import { changed, withQuery } from '../../url/href.ts';
import { navigate, usePlace } from '../../url/location.ts';

/** Browsers refuse to change the URL at the pace of a held arrow key. */
const SETTLE = 150;

/** The selected span, by its place in the trace. The URL follows once the selection rests. */
export function useSelection(
  names: readonly string[],
): [number | undefined, (span: number | undefined) => void] {
  const named = usePlace().params.get('span');
  const [selected, setSelected] = useState(named);
  const [followed, setFollowed] = useState(named);
  if (named !== followed) {
    // the URL was changed by a link or by going back: it decides
    setFollowed(named);
    setSelected(named);
  }
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const select = useCallback(
    (span: number | undefined) => {
      const name = span === undefined ? null : (names[span] ?? null);
      setSelected(name);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        const { pathname, search } = window.location;
        navigate(withQuery(pathname, changed(new URLSearchParams(search), { span: name })), {
          replace: true,
        });
      }, SETTLE);
    },
    [names],
  );
  const index = selected === null ? -1 : names.indexOf(selected);
  return [index < 0 ? undefined : index, select];
}
