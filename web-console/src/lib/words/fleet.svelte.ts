// The words of receivers' pages, apart from the rest: only they wait for them.
import { en } from './fleet/en';
import { vi, type Fleet } from './fleet/vi';
import { locale } from './locale.svelte';

export const fleetWords = {
  get said(): Fleet {
    return locale.shown === 'en' ? en : vi;
  }
};
