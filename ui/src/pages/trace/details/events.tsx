import type { Span } from '../../../api/types.ts';
import { duration } from '../../../format/duration.ts';
import { Attributes } from './attributes.tsx';

/** What happened during the span, by its own clock. */
export function Events({ events, start }: { events: Span['events']; start: number }) {
  if (events.length === 0) return null;
  return (
    <section className="details-section">
      <h3>Events</h3>
      <ol>
        {events.map((event, index) => (
          <li key={index}>
            <p>
              <span className="number muted">+{duration(event.offset - start)}</span> {event.name}
            </p>
            <Attributes title="Attributes" attributes={event.attributes} open={event.name === 'exception'} />
          </li>
        ))}
      </ol>
    </section>
  );
}
