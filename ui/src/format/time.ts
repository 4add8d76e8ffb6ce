/** Moments as people read them. All in nanoseconds since the Unix epoch, shown in the reader's time zone. */

import { duration } from './duration.ts';

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

const date = (nanos: number) => new Date(nanos / 1e6);

/** `14:03:07` */
export const timeOfDay = (nanos: number) => clock.format(date(nanos));

/** `14:03:07` today, `3 Nov 14:03:07` on other days. */
export function moment(nanos: number, now: number = Date.now() * 1e6): string {
  const same = date(nanos).toDateString() === date(now).toDateString();
  return same ? timeOfDay(nanos) : `${day.format(date(nanos))} ${timeOfDay(nanos)}`;
}

/** ISO 8601 with milliseconds, for titles and copying. */
export const exact = (nanos: number) => date(nanos).toISOString();

/** `3 s ago`, `2 h ago`: one number, one unit. */
export function ago(nanos: number, now: number = Date.now() * 1e6): string {
  const passed = now - nanos;
  if (passed < 1e9) return 'now';
  const [value = '', unit = ''] = duration(passed).split(' ');
  return `${Math.floor(Number(value))} ${unit} ago`;
}
