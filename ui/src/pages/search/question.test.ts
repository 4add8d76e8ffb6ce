import { expect, test } from 'vitest';

import { draftOf, narrowing, paramsOf, question } from './question.ts';

const asked = (query: string) => Object.fromEntries(question(new URLSearchParams(query)));

test('a search that says nothing looks at the last hour, latest first', () => {
  expect(asked('')).toEqual({ lookback: '1h', order: 'time', limit: '50' });
});

test('a start takes the place of a lookback, and all that is kept has neither', () => {
  expect(asked('start=5&lookback=1h')).not.toHaveProperty('lookback');
  expect(asked('lookback=all')).not.toHaveProperty('lookback');
});

test('order and cursor are asked for as the URL has them, an unknown order is the usual one', () => {
  expect(asked('order=duration&cursor=abc')).toMatchObject({ order: 'duration', cursor: 'abc' });
  expect(asked('order=colour')).toMatchObject({ order: 'time' });
});

test('a form that is read from a URL and sent again is the same URL', () => {
  const query = 'service=edge&status=error&minDuration=300ms&where=a%3D1&where=b&order=errors';
  const params = new URLSearchParams(query);
  expect(paramsOf(draftOf(params), 'errors').toString()).toBe(query);
});

test('what narrows a search down can be named', () => {
  expect(narrowing(new URLSearchParams('service=x&where=a&lookback=6h'))).toEqual(['service', 'where']);
});
