import { expect, test } from 'vitest';

import { beforeAndAfter, condition, group } from './side.ts';

const id = '0af7651916cd43dd8448eb211c80319c';

test('a side is ids or the query of a search, and nothing else', () => {
  expect(group(`${id.toUpperCase()}, ${id}`)).toEqual({ traceIds: [id, id] });
  expect(group('http://here/search?service=edge&lookback=15m')).toEqual({
    search: { service: 'edge', lookback: '15m', limit: 200 },
  });
  expect(group('edge')).toBeUndefined();
  expect(group('')).toBeUndefined();
});

test.each([
  ['a=b=c', { key: 'a', op: '=', value: 'b=c' }],
  ['status>=500', { key: 'status', op: '>=', value: '500' }],
  ['user.id', { key: 'user.id', op: 'exists' }],
])('the condition %j', (text, asked) => {
  expect(condition(text)).toEqual(asked);
});

test('before and after a moment are the same search over as long a time', () => {
  expect(beforeAndAfter('service=edge&lookback=1h', 1000n, 100n)).toEqual({
    a: 'service=edge&start=900&end=1000',
    b: 'service=edge&start=1000&end=1100',
  });
});
