import { ServiceName } from '../../design/service.tsx';
import { duration } from '../../format/duration.ts';
import { percent } from '../../format/number.ts';
import type { View } from './view.ts';

/** Services that the legend names; the rest is one entry. */
const NAMED = 6;

/** Whose time the critical path went through, as one bar. */
export function TimeShares({ view: { trace, hue } }: { view: View }) {
  const services = trace.services.filter(({ criticalTime }) => criticalTime > 0);
  services.sort((a, b) => b.criticalTime - a.criticalTime);
  const total = services.reduce((sum, { criticalTime }) => sum + criticalTime, 0);
  if (total === 0) return null;
  const rest = services.slice(NAMED);
  return (
    <div className="shares">
      <span className="muted">Critical path</span>
      <div className="shares-bar" aria-hidden="true">
        {services.map(({ name, criticalTime }) => (
          <span key={name} style={{ width: percent100(criticalTime / total), background: hue(name) }} />
        ))}
      </div>
      <ul className="shares-legend">
        {services.slice(0, NAMED).map(({ name, criticalTime }) => (
          <li key={name} title={duration(criticalTime)}>
            <ServiceName name={name} hue={hue(name)} /> {percent(criticalTime / total)}
          </li>
        ))}
        {rest.length > 0 && <li className="muted">{rest.length} more</li>}
      </ul>
    </div>
  );
}

const percent100 = (share: number) => `${share * 100}%`;
