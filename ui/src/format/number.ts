/** Numbers as people read them. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `12,345` */
export const count = (value: number) => whole.format(value);

/** `12.3 k`, `4.56 M`: for places too small for all digits. */
export function compact(value: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
  }
  return Number.isInteger(value) ? String(value) : value.toPrecision(2);
}

/** A rate a second: `0.25/s`, `12.0/s`, `1.20 k/s`. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0/s';
  if (perSecond < 0.01) return '<0.01/s';
  return `${perSecond >= 1000 ? compact(perSecond) : perSecond >= 100 ? perSecond.toFixed(0) : perSecond >= 10 ? perSecond.toFixed(1) : perSecond.toFixed(2)}/s`;
}

/** A share from 0 to 1: `0 %`, `0.3 %`, `12 %`. What is not quite nothing or not quite all never reads as if it were. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0 || value === 100) return `${value} %`;
  if (value < 0.1) return '<0.1 %';
  if (value > 99.9) return '>99.9 %';
  return value < 10 || value > 90 ? `${value.toFixed(1)} %` : `${value.toFixed(0)} %`;
}

/** Processors: `0.3 %` of one, `1.5 CPUs`. */
export const processors = (value: number) => (value < 1 ? percent(value) : `${value.toPrecision(2)} CPUs`);

/** A confidence: `≈ 97.0 %`, `>99.9 %`. */
export function sure(share: number): string {
  const text = percent(share);
  return /^[<>]/.test(text) ? text : `≈ ${text}`;
}

export function bytes(value: number): string {
  for (const [size, unit] of [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
  }
  return `${value} B`;
}

/** `1 span`, `2 spans`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
