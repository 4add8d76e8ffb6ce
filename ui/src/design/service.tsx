/** A service's name beside its colour. */
export function ServiceName({ name, hue }: { name: string; hue: string | undefined }) {
  return (
    <span className="service">
      <span className="swatch" style={{ background: hue ?? 'var(--muted)' }} />
      {name}
    </span>
  );
}
