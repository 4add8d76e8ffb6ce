import type { Attribute } from '../../../api/types.ts';
import { Copy } from '../../../design/copy.tsx';
import { attributeText, valueText } from '../../../trace/find.ts';
import { href } from '../../../url/href.ts';
import { Link } from '../../../url/link.tsx';

interface Props {
  title: string;
  attributes: readonly Attribute[];
  /** Whose they are; a search by one of them stays with it. */
  service?: string;
  open?: boolean;
}

/** Attributes, each to copy and to search by. */
export function Attributes({ title, attributes, service, open = false }: Props) {
  if (attributes.length === 0) return null;
  const sorted = [...attributes].sort((a, b) => (a.key < b.key ? -1 : 1));
  return (
    <details className="attributes" open={open}>
      <summary>
        {title} <span className="muted number">{attributes.length}</span>
      </summary>
      <dl>
        {sorted.map((attribute) => (
          <div key={attribute.key}>
            <dt>{attribute.key}</dt>
            <dd>
              <code className="break">{valueText(attribute)}</code>
              <span className="attribute-do">
                <Copy text={valueText(attribute)} what={attribute.key} />
                <Link
                  href={href('/search', { service, where: attributeText(attribute) })}
                  aria-label={`Search by ${attribute.key}`}
                >
                  search
                </Link>
              </span>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
