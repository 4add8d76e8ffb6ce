import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { Refused } from '../api/client.ts';
import { Empty } from './empty.tsx';

/** Shows an answer; or that it is not there yet, or why it never will be. */
export function Answer<Body>({
  query,
  children,
}: {
  query: UseQueryResult<Body>;
  children: (body: Body) => ReactNode;
}) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error && <Trouble error={query.error} />}
        {children(query.data)}
      </>
    );
  }
  return query.error ? (
    <Trouble error={query.error} />
  ) : (
    <p className="waiting muted">Asking the collector …</p>
  );
}

/** What the collector refused and why, or that it does not answer. */
export function Trouble({ error }: { error: Error }) {
  if (!(error instanceof Refused)) {
    return (
      <Empty title="The collector does not answer">
        It may be starting or unreachable from here. The page asks again by itself; what it shows until then
        is old.
      </Empty>
    );
  }
  return (
    <div className="trouble" role="alert">
      {error.problems.map(({ where, message, allowed }) => (
        <p key={`${where}${message}`}>
          {where && <code>{where}</code>} {message}
          {allowed && <span className="muted"> Allowed: {allowed}.</span>}
        </p>
      ))}
    </div>
  );
}
