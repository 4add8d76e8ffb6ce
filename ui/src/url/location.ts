/**
 * Where the browser is. The URL is the only state that pages share: what can be seen can be linked to.
 */
import { useMemo, useSyncExternalStore } from 'react';

export interface Place {
  path: string;
  params: URLSearchParams;
}

const moved = 'meshtrace:moved';

/** Goes to `href`, a path of these pages, without loading a document. */
export function navigate(href: string, how: { replace?: boolean } = {}): void {
  if (how.replace) window.history.replaceState(null, '', href);
  else window.history.pushState(null, '', href);
  window.dispatchEvent(new Event(moved));
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(moved, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(moved, listener);
  };
}

const current = () => window.location.pathname + window.location.search;

export function usePlace(): Place {
  const href = useSyncExternalStore(subscribe, current);
  return useMemo(() => {
    const [path = '/', query = ''] = href.split('?');
    return { path, params: new URLSearchParams(query) };
  }, [href]);
}
