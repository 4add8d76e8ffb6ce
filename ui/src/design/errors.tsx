import { percent } from '../format/number.ts';
import { Badge } from './badge.tsx';

/** The share of what failed. */
export function Errors({ ratio }: { ratio: number }) {
  return ratio > 0 ? <Badge tone="failed">✕ {percent(ratio)}</Badge> : <span className="muted">0 %</span>;
}
