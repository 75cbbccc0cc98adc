// A static single-page console: nothing is rendered on a server, nothing ahead of time.
export const ssr = false;
export const prerender = false;
