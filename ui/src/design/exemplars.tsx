import type { Stats } from '../api/types.ts';
import { traceHref } from '../url/href.ts';
import { Link } from '../url/link.tsx';

/** Ways to single traces of what was counted. */
export function Exemplars({ of: { slowest, error } }: { of: Stats['exemplars'] }) {
  return (
    <>
      {slowest && <Link href={traceHref(slowest)}>slowest</Link>}{' '}
      {error && <Link href={traceHref(error)}>an error</Link>}
    </>
  );
}
