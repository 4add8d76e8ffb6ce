import type { Theme } from './theme.ts';
import { useTheme } from './use-theme.ts';

export function ThemeSwitch() {
  const [theme, setTheme] = useTheme();
  return (
    <select aria-label="Colours" value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
      <option value="system">Auto theme</option>
      <option value="light">Light theme</option>
      <option value="dark">Dark theme</option>
    </select>
  );
}
