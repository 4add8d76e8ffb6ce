/** The path of a sparkline in a box: lines between values, interrupted where there is none. Pure. */
export function sparkPath(
  values: readonly (number | null)[],
  width: number,
  height: number,
  top = Math.max(0, ...values.map((value) => value ?? 0)),
): string {
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const inner = height - 2;
  const y = (value: number) => round(height - 1 - (top > 0 ? Math.min(value / top, 1) : 0) * inner);
  let drawing = false;
  return values
    .map((value, index) => {
      if (value === null) {
        drawing = false;
        return '';
      }
      const alone = !drawing && (values[index + 1] ?? null) === null;
      const command = drawing ? 'L' : 'M';
      drawing = true;
      // a value between two that are missing would not be seen
      return `${command}${round(index * step)} ${y(value)}${alone ? 'm-1 0h2' : ''}`;
    })
    .join('');
}

const round = (value: number) => Math.round(value * 10) / 10;
