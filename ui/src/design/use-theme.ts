import { useEffect, useReducer, useState } from 'react';

import { applyTheme, rememberedTheme, rememberTheme, type Theme } from './theme.ts';

const repaint = 'meshtrace:repaint';

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(rememberedTheme);
  const change = (next: Theme) => {
    setTheme(next);
    applyTheme(next);
    rememberTheme(next);
    window.dispatchEvent(new Event(repaint));
  };
  return [theme, change];
}

/** A number that is another one whenever colours have changed, for what is painted rather than styled. */
export function useRepaint(): number {
  const [version, next] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    window.addEventListener(repaint, next);
    system.addEventListener('change', next);
    return () => {
      window.removeEventListener(repaint, next);
      system.removeEventListener('change', next);
    };
  }, []);
  return version;
}
