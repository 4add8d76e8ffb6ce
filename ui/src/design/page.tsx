import type { ReactNode } from 'react';

import { useTitle } from './use-title.ts';

/** A page below its title, with what it can be changed by beside that. */
export function Page({ title, tools, children }: { title: string; tools?: ReactNode; children: ReactNode }) {
  useTitle(title);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{title}</h1>
        {tools}
      </div>
      {children}
    </div>
  );
}
