/** Durations as people read them. All in nanoseconds. */

const steps = [
  [86_400e9, 'd'],
  [3600e9, 'h'],
  [60e9, 'min'],
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
] as const;

/** Three significant digits and a unit: `12.3 ms`, `1.20 s`, `450 µs`. */
export function duration(nanos: number): string {
  if (nanos < 0) return `−${duration(-nanos)}`;
  for (const [size, unit] of steps) {
    // what would round up to the next unit is shown in that unit
    if (nanos >= size * 0.9995) return `${significant(nanos / size)} ${unit}`;
  }
  return nanos === 0 ? '0' : `${Math.round(nanos)} ns`;
}

function significant(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** The nanoseconds of `1.5ms`, `300 us`, `2s`, `1m`; undefined if it is none. A number alone is milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|min|h)?\s*$/.exec(text);
  if (!match) return undefined;
  const units: Record<string, number> = {
    ns: 1,
    us: 1e3,
    µs: 1e3,
    ms: 1e6,
    s: 1e9,
    m: 60e9,
    min: 60e9,
    h: 3600e9,
  };
  return Number(match[1]) * (units[match[2] ?? 'ms'] ?? 1e6);
}

/** A duration in the notation of the API, without loss where people write them: `1500us`. */
export function goDuration(nanos: number): string {
  const units = [
    ['s', 1e9],
    ['ms', 1e6],
    ['us', 1e3],
  ] as const;
  for (const [unit, size] of units) if (nanos >= size && nanos % size === 0) return `${nanos / size}${unit}`;
  return `${Math.round(nanos)}ns`;
}

/** Round places between `from` and `to`, about `count` of them. */
export function ticks(from: number, to: number, count: number): number[] {
  if (!(to > from)) return [];
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}
