import { expect, test } from 'vitest';

import { changed, href } from './href.ts';

test('a link says only what there is to say', () => {
  expect(href('/search', { service: 'edge', status: null, operation: '', where: ['a=1', 'b>2'] })).toBe(
    '/search?service=edge&where=a%3D1&where=b%3E2',
  );
  expect(href('/map')).toBe('/map');
});

test('a change leaves everything else as it was', () => {
  const params = new URLSearchParams('service=edge&where=a&where=b&cursor=x');
  expect(changed(params, { cursor: null, order: 'duration' }).toString()).toBe(
    'service=edge&where=a&where=b&order=duration',
  );
  expect(params.get('cursor')).toBe('x');
});
