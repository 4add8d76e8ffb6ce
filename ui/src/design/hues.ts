/** A colour for each service, the same wherever it is shown together with the same others. */

const HUES = 10;

/** Hash of the name; where two of `names` would share a hue and another is free, the later name takes the next. */
export function hues(names: Iterable<string>): Map<string, string> {
  const taken = new Map<number, number>();
  const result = new Map<string, string>();
  for (const name of [...new Set(names)].sort()) {
    let hue = hash(name) % HUES;
    const least = Math.min(...Array.from({ length: HUES }, (_, each) => taken.get(each) ?? 0));
    while ((taken.get(hue) ?? 0) > least) hue = (hue + 1) % HUES;
    taken.set(hue, (taken.get(hue) ?? 0) + 1);
    result.set(name, `var(--hue-${hue})`);
  }
  return result;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return value;
}
