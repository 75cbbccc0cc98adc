// The words of speaking live and of relays, apart from the rest: only their pages wait for them.
import { en } from './live/en';
import { vi, type Airing } from './live/vi';
import { locale } from './locale.svelte';

export const airing = {
  get air(): Airing {
    return locale.shown === 'en' ? en : vi;
  }
};
