import type { ReactNode } from 'react';

/** What stands where there is nothing to show: why, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty" role="status">
      <h2>{title}</h2>
      {children && <div className="muted">{children}</div>}
    </div>
  );
}
