import { useEffect } from 'react';

/** The document's title, for tabs, histories and screen readers. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · meshtrace`;
  }, [title]);
}
