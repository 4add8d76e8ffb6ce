import type { LinkCounts } from '../api/types.ts';
import { percent } from '../format/number.ts';

/** From what is known to what is not; each with a pattern of its own beside its colour. */
const kinds = ['propagated', 'exact', 'inferred', 'unknown'] as const;

/** How calls got their parents, as one bar. */
export function LinkShares({ links }: { links: LinkCounts }) {
  const total = kinds.reduce((sum, kind) => sum + links[kind], 0);
  if (total === 0) return <span className="muted">no calls</span>;
  const words = kinds
    .filter((kind) => links[kind] > 0)
    .map((kind) => `${kind} ${percent(links[kind] / total)}`)
    .join(', ');
  return (
    <span className="link-shares" role="img" aria-label={words} title={words}>
      {kinds.map((kind) =>
        links[kind] > 0 ? (
          <span key={kind} className={`link-${kind}`} style={{ width: `${(links[kind] / total) * 100}%` }} />
        ) : null,
      )}
    </span>
  );
}

/** What the patterns of the bars mean. */
export function LinkLegend() {
  return (
    <ul className="link-legend">
      {kinds.map((kind) => (
        <li key={kind}>
          <span className={`link-sample link-${kind}`} /> {kind}
        </li>
      ))}
    </ul>
  );
}
