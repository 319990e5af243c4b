import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The policy of tauri.conf.json, so that what it would block in the window is blocked in a browser.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
].join('; ');

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  // The fake backend is for browsers in development and for screenshots. In a production build the
  // flag is false, so that the bundler leaves the fake out.
  define: { __FAKE__: JSON.stringify(mode !== 'production') },
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  preview: { headers: { 'Content-Security-Policy': policy } },
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    target: 'safari16',
    modulePreload: { polyfill: false },
    // No data: URLs: the policy allows none.
    assetsInlineLimit: 0,
    rolldownOptions: { input: { main: 'index.html', quick: 'quick.html' } },
  },
  // Tests that need a document say so in their first line.
  test: { include: ['src/**/*.test.ts'], pool: 'threads', isolate: false, testTimeout: 30_000 },
}));
