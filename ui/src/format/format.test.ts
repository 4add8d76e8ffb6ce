import { describe, expect, test } from 'vitest';

import { duration, goDuration, parseDuration, ticks } from './duration.ts';
import { fromLocal, toLocal } from './local.ts';
import { bytes, compact, percent, processors, rate } from './number.ts';
import { ago } from './time.ts';

describe('durations', () => {
  test.each([
    [0, '0'],
    [999, '999 ns'],
    [1500, '1.50 µs'],
    [12_340_000, '12.3 ms'],
    [999_600_000, '1.00 s'],
    [61e9, '1.02 min'],
    [-5e6, '−5.00 ms'],
  ])('%d ns read as %s', (nanos, text) => {
    expect(duration(nanos)).toBe(text);
  });

  test.each([
    ['300ms', 3e8],
    ['1.5 s', 1.5e9],
    ['20', 2e7],
    ['2x', undefined],
  ])('%j is %d ns', (text, nanos) => {
    expect(parseDuration(text)).toBe(nanos);
  });

  test('the notation of the API says the same', () => {
    for (const nanos of [1, 1500, 2_000_000, 3e9, 1_234_567])
      expect(parseDuration(goDuration(nanos))).toBe(nanos);
  });

  test('ticks stand at round places within the span', () => {
    expect(ticks(0, 2400, 5)).toEqual([0, 500, 1000, 1500, 2000]);
    expect(ticks(130, 270, 3)).toEqual([150, 200, 250]);
    expect(ticks(5, 5, 5)).toEqual([]);
  });
});

describe('numbers', () => {
  test('a share that is not quite nothing or all does not read as if it were', () => {
    expect([0, 0.0004, 0.034, 0.5, 0.9996, 1].map(percent)).toEqual([
      '0 %',
      '<0.1 %',
      '3.4 %',
      '50 %',
      '>99.9 %',
      '100 %',
    ]);
  });

  test('rates and sizes keep three digits', () => {
    expect([0, 0.001, 0.25, 12, 1234].map(rate)).toEqual(['0/s', '<0.01/s', '0.25/s', '12.0/s', '1.23 k/s']);
    expect([512, 1536, 5 * 2 ** 30].map(bytes)).toEqual(['512 B', '1.50 KiB', '5.00 GiB']);
    expect(compact(45_600)).toBe('45.6 k');
    expect([0, 0.003, 1.52].map(processors)).toEqual(['0 %', '0.3 %', '1.5 CPUs']);
  });
});

describe('moments', () => {
  test('a time is said with one number and one unit', () => {
    expect(ago(0, 90e9)).toBe('1 min ago');
    expect(ago(5e8, 6e8)).toBe('now');
  });

  test('a field for local time keeps milliseconds', () => {
    expect(fromLocal(toLocal('1700000000123000000'))).toBe('1700000000123000000');
    expect(toLocal('yesterday')).toBe('');
    expect(fromLocal('')).toBe('');
  });
});
