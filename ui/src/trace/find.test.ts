import { expect, test } from 'vitest';

import { find } from './find.ts';
import { failed, span, trace } from './fixture.ts';
import { spanNames } from './names.ts';

const it = trace([
  span({ operation: 'GET /Accounts' }),
  span({ ...failed, spanId: 'beef000000000000' }),
  span({ attributes: [{ key: 'http.response.status_code', type: 'int', value: 503 }] }),
  span({ events: [{ name: 'retry', time: '1', offset: 1, attributes: [] }] }),
]);

test.each([
  ['accounts', [0]],
  ['beef', [1]],
  ['status_code=503', [2]],
  ['RETRY', [3]],
  ['  ', []],
])('%j finds spans %j', (text, spans) => {
  expect([...find(it, text)]).toEqual(spans);
});

test('two spans with one id have different names', () => {
  expect(spanNames([span({ kind: 'client' }), span({ kind: 'server' })])).toEqual([
    '00000000000000aa',
    '00000000000000aa:server',
  ]);
});
