import type { Span } from '../../../api/types.ts';
import { traceHref } from '../../../url/href.ts';
import { Link } from '../../../url/link.tsx';
import { Attributes } from './attributes.tsx';

/** Spans that this one has to do with without being below them: batches, retries, messages. */
export function LinkedSpans({ links }: { links: Span['links'] }) {
  if (links.length === 0) return null;
  return (
    <section className="details-section">
      <h3>Linked spans</h3>
      <ul>
        {links.map((link, index) => (
          <li key={index}>
            <Link href={traceHref(link.traceId, { span: link.spanId })}>
              <code>
                {link.traceId.slice(0, 8)}… {link.spanId}
              </code>
            </Link>
            <Attributes title="Attributes" attributes={link.attributes} />
          </li>
        ))}
      </ul>
    </section>
  );
}
