import { expect, test } from 'vitest';

import type { TailSpan } from '../../api/types.ts';
import { draftOf, paramsOf } from './question.ts';
import { KEPT, type News, nothing, received } from './received.ts';

const span = (operation: string) => ({ operation }) as TailSpan;
const arrived = (...operations: string[]): News => ({
  what: 'arrived',
  spans: operations.map(span),
  missed: 0,
});
const after = (...news: News[]) => news.reduce(received, nothing);
const names = (state: typeof nothing) => state.shown.map((line) => line.span.operation);

test('the latest span stands first, and only so many are kept', () => {
  expect(names(after(arrived('a', 'b'), arrived('c')))).toEqual(['c', 'b', 'a']);
  const many = after(
    arrived(...Array.from({ length: KEPT + 10 }, (_, index) => String(index))),
    arrived('x'),
  );
  expect(many.shown).toHaveLength(KEPT);
  expect([names(many)[0], many.arrived]).toEqual(['x', KEPT + 11]);
  expect(new Set(many.shown.map(({ number }) => number)).size).toBe(KEPT);
});

test('what arrives while paused waits, is counted, and comes when the reader goes on', () => {
  const paused = after(arrived('a'), { what: 'pause' }, arrived('b', 'c'));
  expect([names(paused), paused.waitingCount]).toEqual([['a'], 2]);
  const going = received(paused, { what: 'go on' });
  expect([names(going), going.waitingCount, going.waiting]).toEqual([['c', 'b', 'a'], 0, null]);
});

test('clearing leaves a pause as it is', () => {
  const cleared = after({ what: 'pause' }, arrived('a'), { what: 'clear' });
  expect([cleared.shown, cleared.waiting, cleared.waitingCount]).toEqual([[], [], 0]);
  expect(after(arrived('a'), { what: 'clear' }).waiting).toBeNull();
});

test('what is followed is what the URL says', () => {
  const params = new URLSearchParams('service=edge&where=a%3E1&where=b&roots=true&minDuration=+5ms&other=1');
  expect(paramsOf(draftOf(params)).toString()).toBe(
    'service=edge&minDuration=5ms&where=a%3E1&where=b&roots=true',
  );
});
