import './shell.css';

import type { ReactNode } from 'react';

import { Link } from '../url/link.tsx';
import { Jump } from './jump.tsx';
import { ThemeSwitch } from './theme-switch.tsx';

const places = [
  ['/', 'Overview'],
  ['/search', 'Search'],
  ['/tail', 'Tail'],
  ['/map', 'Map'],
  ['/mesh', 'Mesh'],
  ['/compare', 'Compare'],
] as const;

/** What stands around every page: where one can go. */
export function Shell({ path, children }: { path: string; children: ReactNode }) {
  return (
    <>
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <header className="shell">
        <Link href="/" className="shell-name">
          <img src="/icon.svg" alt="" width="18" height="18" />
          meshtrace
        </Link>
        <nav aria-label="Pages">
          {places.map(([href, name]) => (
            <Link key={href} href={href} aria-current={isAt(path, href) ? 'page' : undefined}>
              {name}
            </Link>
          ))}
        </nav>
        <Jump />
        <ThemeSwitch />
      </header>
      <main id="page" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

const isAt = (path: string, href: string) =>
  path === href || (href === '/search' && path.startsWith('/trace/'));
