import { useEffect, useState } from 'react';

/** Copies `text`; says so for a moment. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState<'copied' | 'refused'>();
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(undefined), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone('copied');
    } catch {
      // no permission, or a page that did not come by HTTPS or from this machine
      setDone('refused');
    }
  };
  return (
    <button type="button" className="plain" aria-label={`Copy ${what}`} onClick={() => void copy()}>
      {done ?? 'copy'}
    </button>
  );
}
