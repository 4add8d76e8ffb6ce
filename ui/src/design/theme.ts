/** Light or dark: as the system says, unless the reader has said otherwise. */

export type Theme = 'system' | 'light' | 'dark';

const key = 'meshtrace.theme';

export function rememberedTheme(): Theme {
  const value = window.localStorage.getItem(key);
  return value === 'light' || value === 'dark' ? value : 'system';
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function rememberTheme(theme: Theme): void {
  if (theme === 'system') window.localStorage.removeItem(key);
  else window.localStorage.setItem(key, theme);
}

/** What `property` (a colour of tokens.css) is now, as a canvas takes it. */
export function colour(property: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
