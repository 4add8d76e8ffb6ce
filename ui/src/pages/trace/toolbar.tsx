import { plural } from '../../format/number.ts';
import { skewed } from '../../trace/times.ts';
import { href } from '../../url/href.ts';
import { Link } from '../../url/link.tsx';
import { type Filter, type Shape, shapes, filters, type View } from './view.ts';
import { Find } from './find.tsx';

const shapeWords: Record<Shape, string> = { waterfall: 'Waterfall', flame: 'Flame graph', table: 'Table' };
const filterWords: Record<Filter, string> = { all: 'All spans', critical: 'Critical path', errors: 'Errors' };

/** How the trace is looked at. Everything here is in the URL. */
export function Toolbar({ view }: { view: View }) {
  const { trace, change, clock, inferred, all, window: part } = view;
  const guessed = trace.spans.filter(({ link }) => link?.kind === 'inferred').length;
  const isZoomed = part.from > all.from || part.to < all.to;
  return (
    <div className="toolbar trace-toolbar">
      <Segments
        label="View"
        choices={shapes}
        words={shapeWords}
        chosen={view.shape}
        onChoose={(shape) => change({ view: shape === 'waterfall' ? null : shape })}
      />
      {view.shape !== 'flame' && (
        <Segments
          label="Spans"
          choices={filters}
          words={filterWords}
          chosen={view.filter}
          isDisabled={(filter) => filter === 'errors' && view.errors.length === 0}
          onChoose={(filter) => change({ show: filter === 'all' ? null : filter })}
        />
      )}
      <Find view={view} />
      {guessed > 0 && (
        <label className="check">
          <input
            type="checkbox"
            checked={inferred}
            onChange={(event) => change({ inferred: event.target.checked ? null : 'hidden' })}
          />
          {plural(guessed, 'inferred link')}
        </label>
      )}
      {skewed(trace) && (
        <label className="check">
          <input
            type="checkbox"
            checked={clock === 'adjusted'}
            onChange={(event) => change({ clock: event.target.checked ? null : 'raw', from: null, to: null })}
          />
          Clocks adjusted
        </label>
      )}
      {isZoomed && (
        <button type="button" onClick={() => change({ from: null, to: null })}>
          Whole trace
        </button>
      )}
      <span className="toolbar-end">
        <Link href={href('/compare', { a: trace.traceId })}>Compare</Link>
        <Export id={trace.traceId} />
      </span>
    </div>
  );
}

interface SegmentsProps<Choice extends string> {
  label: string;
  choices: readonly Choice[];
  words: Record<Choice, string>;
  chosen: Choice;
  isDisabled?: (choice: Choice) => boolean;
  onChoose: (choice: Choice) => void;
}

/** One of a few, side by side. */
function Segments<Choice extends string>(props: SegmentsProps<Choice>) {
  const { label, choices, words, chosen, isDisabled, onChoose } = props;
  return (
    <div className="segments" role="group" aria-label={label}>
      {choices.map((choice) => (
        <button
          key={choice}
          type="button"
          aria-pressed={choice === chosen}
          disabled={isDisabled?.(choice)}
          onClick={() => onChoose(choice)}
        >
          {words[choice]}
        </button>
      ))}
    </div>
  );
}

const formats = [
  ['otlp', 'OTLP JSON'],
  ['jaeger', 'Jaeger JSON'],
  ['text', 'Text'],
  ['html', 'HTML page'],
] as const;

function Export({ id }: { id: string }) {
  return (
    <details className="menu">
      <summary>Export</summary>
      <ul>
        {formats.map(([format, name]) => (
          <li key={format}>
            <a href={`/api/meshtrace/v1/traces/${id}/export?format=${format}`} download>
              {name}
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
}
