import { useState } from 'react';

/** What a form holds before it is asked, and how that is changed. It begins with what the URL says, and again when that changes. */
export function useDraft<Draft>(params: URLSearchParams, draftOf: (params: URLSearchParams) => Draft) {
  const asked = params.toString();
  const [draft, setDraft] = useState<Draft>(() => draftOf(params));
  const [known, setKnown] = useState(asked);
  if (asked !== known) {
    // changed elsewhere: by the scatter, a link, or going back
    setKnown(asked);
    setDraft(draftOf(params));
  }
  return [draft, setDraft] as const;
}
