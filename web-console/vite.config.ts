import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import { fonts } from './fonts.ts';
import { outlinesPlugin } from './outlines.ts';

// `npm run dev` talks to a running `loa serve`; LOA_SERVER says where it is when not on the default port.
const server = process.env.LOA_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [fonts(), sveltekit(), outlinesPlugin()],
  server: { proxy: { '/api': { target: server, ws: true }, '/healthz': server } },
  // The thread that hears the microphone is a module of its own.
  worker: { format: 'es' },
  // Fonts stay files: a data: font would need a wider content security policy.
  build: { assetsInlineLimit: 0 },
  // rrule's own modules, as the build takes them: Node would take its bundle, which has no named exports.
  test: { include: ['src/**/*.test.ts'], server: { deps: { inline: ['rrule'] } } }
});
