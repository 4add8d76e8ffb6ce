import type { ReactNode } from 'react';

type Tone = 'plain' | 'failed' | 'warn' | 'good' | 'dashed';

/** A short word about something. */
export function Badge({
  tone = 'plain',
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children: ReactNode;
}) {
  return (
    <span className={`badge badge-${tone}`} title={title}>
      {children}
    </span>
  );
}
