import type { Overview } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { href } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';

/** Changes that are listed. */
const LISTED = 8;

interface Props {
  changes: Overview['changes'];
  colours: ReadonlyMap<string, string>;
}

const worse = ({ what, before, after }: Overview['changes'][number]) =>
  what === 'vanished' || ((what === 'errors' || what === 'latency') && after > before);

/** What is different from the window before. */
export function Changes({ changes, colours }: Props) {
  return (
    <section className="panel" aria-labelledby="changes">
      <h2 id="changes">What changed</h2>
      {changes.length === 0 && <p className="muted">Nothing that stands out against the time before.</p>}
      <ul className="changes">
        {changes.slice(0, LISTED).map((change) => (
          <li key={`${change.service} ${change.what}`}>
            <Badge tone={worse(change) ? 'warn' : 'plain'}>{change.what}</Badge>
            <span className="swatch" style={{ background: colours.get(change.service) ?? 'var(--muted)' }} />
            <Link href={href('/search', { service: change.service })}>{change.text}</Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
