import { useId } from 'react';

import { sparkPath } from './spark-path.ts';

interface Props {
  values: readonly (number | null)[];
  /** What it shows, for those who do not see it. */
  label: string;
  colour?: string;
  /** The value of the full height, if not the largest of `values`. */
  top?: number | undefined;
}

const WIDTH = 88;
const HEIGHT = 20;

export function Sparkline({ values, label, colour = 'var(--accent)', top }: Props) {
  const title = useId();
  return (
    <svg
      className="sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-labelledby={title}
    >
      <title id={title}>{label}</title>
      <path d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} stroke="var(--line)" fill="none" />
      <path
        d={sparkPath(values, WIDTH, HEIGHT, top)}
        stroke={colour}
        fill="none"
        strokeWidth="1.25"
        strokeLinejoin="round"
      />
    </svg>
  );
}
