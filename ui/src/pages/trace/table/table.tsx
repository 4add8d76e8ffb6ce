import { useParams } from '../../../url/params.ts';
import type { View } from '../view.ts';
import { OperationRows } from './operation-rows.tsx';
import { SpanRows } from './span-rows.tsx';
import './table.css';

/** The spans of the trace, or their operations, in a table that can be sorted. */
export function SpanTable({ view }: { view: View }) {
  const [params, change] = useParams();
  const grouped = params.get('by') === 'operation';
  return (
    <section className="span-table" aria-label="Table">
      <div className="toolbar span-table-toolbar">
        <div className="segments" role="group" aria-label="A line for each">
          <button type="button" aria-pressed={!grouped} onClick={() => change({ by: null })}>
            Spans
          </button>
          <button type="button" aria-pressed={grouped} onClick={() => change({ by: 'operation' })}>
            Operations
          </button>
        </div>
      </div>
      {grouped ? <OperationRows view={view} /> : <SpanRows view={view} />}
    </section>
  );
}
