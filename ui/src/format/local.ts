/** Instants of the API (decimal nanoseconds) and what a datetime-local field holds (the reader's time zone). Pure. */

/** Empty for an instant that is none. */
export function toLocal(instant: string): string {
  if (!/^\d+$/.test(instant)) return '';
  const date = new Date(Number(BigInt(instant) / 1_000_000n));
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return Number.isNaN(shifted.getTime()) ? '' : shifted.toISOString().slice(0, 23);
}

export function fromLocal(text: string): string {
  const milliseconds = new Date(text).getTime();
  return Number.isNaN(milliseconds) ? '' : instant(milliseconds);
}

/** Milliseconds since the Unix epoch as an instant. */
export const instant = (milliseconds: number) => String(BigInt(Math.round(milliseconds)) * 1_000_000n);
