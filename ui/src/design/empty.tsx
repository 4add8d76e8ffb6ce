import type { ReactNode } from 'react';

interface Props {
  title: string;
  /** It is the whole page, so that its title is the page's. */
  page?: boolean;
  children?: ReactNode;
}

/** What stands where there is nothing to show: why, and what to do next. */
export function Empty({ title, page = false, children }: Props) {
  const Heading = page ? 'h1' : 'h2';
  return (
    <div className="empty" role="status">
      <Heading>{title}</Heading>
      {children && <div className="muted">{children}</div>}
    </div>
  );
}
