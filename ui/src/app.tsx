import { type ReactNode, Suspense } from 'react';

import { Shell } from './design/shell.tsx';
import { Empty } from './design/empty.tsx';
import { ComparePage } from './pages/compare/page.tsx';
import { MapPage } from './pages/map/page.tsx';
import { MeshPage } from './pages/mesh/page.tsx';
import { OverviewPage } from './pages/overview/page.tsx';
import { SearchPage } from './pages/search/page.tsx';
import { TailPage } from './pages/tail/page.tsx';
import { TracePage } from './pages/trace/page.tsx';
import { Link } from './url/link.tsx';
import { usePlace } from './url/location.ts';

export function App() {
  const { path } = usePlace();
  return (
    <Shell path={path}>
      <Suspense>{page(path)}</Suspense>
    </Shell>
  );
}

function page(path: string): ReactNode {
  const [, first = '', second = ''] = path.split('/');
  switch (first) {
    case '':
      return <OverviewPage />;
    case 'search':
      return <SearchPage />;
    case 'trace':
      return <TracePage key={second} id={decodeURIComponent(second)} />;
    case 'tail':
      return <TailPage />;
    case 'map':
      return <MapPage />;
    case 'mesh':
      return <MeshPage />;
    case 'compare':
      return <ComparePage />;
    default:
      return (
        <Empty page title="There is no such page">
          <Link href="/">Go to the overview</Link>, or open a trace by its id above.
        </Empty>
      );
  }
}
