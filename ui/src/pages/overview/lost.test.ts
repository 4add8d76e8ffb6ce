import { expect, test } from 'vitest';

import type { Counted, Workload } from '../../api/types.ts';
import { lost } from './lost.ts';

const workload = (losses: Counted[] | null) => ({ losses }) as Workload;

test('losses are added up by reason, and not made up where nobody has said', () => {
  expect(lost([workload(null)])).toBeUndefined();
  expect(lost([workload([]), workload(null)])).toEqual([]);
  const [full, refused] = [
    { name: 'queue_full', count: 3 },
    { name: 'refused', count: 4 },
  ];
  expect(lost([workload([full]), workload([refused, full])])).toEqual([
    { name: 'queue_full', count: 6 },
    refused,
  ]);
});
