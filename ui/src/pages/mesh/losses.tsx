import type { Counted } from '../../api/types.ts';
import { Badge } from '../../design/badge.tsx';
import { count } from '../../format/number.ts';

/** Spans that sidecars lost, by reason; null as long as they have not said. */
export function Losses({ losses }: { losses: readonly Counted[] | null }) {
  if (losses === null) return <span className="muted">not told</span>;
  if (losses.length === 0) return <span className="muted">none</span>;
  return losses.map(({ name, count: value }) => (
    <Badge key={name} tone="warn">
      {count(value)} {name.replaceAll('_', ' ')}
    </Badge>
  ));
}
