import type { Propagation } from '../../api/types.ts';

/** The report's verdicts in words. */
export const verdicts: Record<Propagation['verdict'], string> = {
  forwards: 'forwards context',
  joined: 'joined without it',
  partly: 'joined in part',
  background: 'calls on its own account',
  silent: 'makes no calls',
};
