import './design/tokens.css';
import './design/base.css';
import './design/parts.css';

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { Refused } from './api/client.ts';
import { App } from './app.tsx';
import { applyTheme, rememberedTheme } from './design/theme.ts';

/** What the collector refuses it refuses again; only what may have been a moment's trouble is asked twice. */
const retry = (failures: number, error: Error) =>
  failures < 1 && !(error instanceof Refused && error.status < 500);

const queries = new QueryClient({ defaultOptions: { queries: { retry, refetchOnWindowFocus: false } } });

applyTheme(rememberedTheme());

const root = document.getElementById('root');
if (!root) throw new Error('the document has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
