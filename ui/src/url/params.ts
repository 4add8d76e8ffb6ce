import { useCallback } from 'react';

import { changed, type Values, withQuery } from './href.ts';
import { navigate, usePlace } from './location.ts';

/** The query of the URL and a way to change it. A change replaces the place unless it is one to come back to. */
export function useParams(): [URLSearchParams, (values: Values, how?: { keep?: boolean }) => void] {
  const { path, params } = usePlace();
  const change = useCallback(
    (values: Values, how: { keep?: boolean } = {}) => {
      const now = new URLSearchParams(window.location.search);
      navigate(withQuery(path, changed(now, values)), { replace: !how.keep });
    },
    [path],
  );
  return [params, change];
}
