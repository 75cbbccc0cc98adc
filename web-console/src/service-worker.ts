/// <reference types="@sveltejs/kit" />
/// <reference lib="webworker" />
// Keeps the console's own files, so that every page of it, the emergency page too, opens on a bad line or none. It never touches what
// goes to the server's API: no answer is kept, nothing is queued, no stream passes through here. A newer one waits until every
// page of the older one is closed: nothing is taken from under a page that is on the air.
import { build, files, version } from '$service-worker';

const worker = self as unknown as ServiceWorkerGlobalScope;
const NAME = `loa-${version}`;
/** The one page, for every address. */
const SHELL = '/';
const kept = new Set([...build, ...files]);

worker.addEventListener('install', (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll([SHELL, ...kept])));
});

worker.addEventListener('activate', (event) => {
  const older = (name: string) => name.startsWith('loa-') && name !== NAME;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(older).map((name) => caches.delete(name)))));
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== worker.location.origin) return;
  if (kept.has(pathname)) event.respondWith(ours(pathname).then((file) => file ?? fetch(request)));
  else if (request.mode === 'navigate' && !/^\/(api|healthz|metrics|\.well-known)\b/.test(pathname)) event.respondWith(page(request));
});

const ours = (pathname: string) => caches.open(NAME).then((cache) => cache.match(pathname));

/** The server's page; without a server the one that is kept. */
async function page(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const shell = await ours(SHELL);
    if (shell === undefined) throw error;
    return shell;
  }
}
