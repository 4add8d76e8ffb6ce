import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` shows the pages with a collector that runs here already.
const collector = 'http://127.0.0.1:16686';

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/api': collector } },
  build: {
    // the first browsers with CSS light-dark()
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // everything in files of its own: the collector's content security policy allows nothing inline
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
