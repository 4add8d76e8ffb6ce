import type { KeyboardEvent, PointerEvent } from 'react';

const LEAST = 0.15;
const MOST = 0.75;

/** Between names and times: dragged, or moved by arrow keys. */
export function Divider({ share, onChange }: { share: number; onChange: (share: number) => void }) {
  const set = (value: number) => onChange(Math.min(MOST, Math.max(LEAST, value)));
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = event.currentTarget.parentElement?.getBoundingClientRect();
    if (box) set((event.clientX - box.left) / box.width);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    set(share + (event.key === 'ArrowLeft' ? -0.02 : 0.02));
  };
  return (
    <div
      className="waterfall-divider"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the names"
      aria-valuenow={Math.round(share * 100)}
      aria-valuemin={LEAST * 100}
      aria-valuemax={MOST * 100}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
    />
  );
}
