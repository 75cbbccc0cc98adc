// A static single-page console: nothing is rendered on a server, nothing ahead of time. The words come before the first page.
import { locale } from '$lib/words/locale.svelte';

export const ssr = false;
export const prerender = false;

export const load = () => locale.fetch();
