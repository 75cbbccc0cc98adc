// The words of the pages behind the menu, apart from the rest: the main page does not wait for them.
import { locale } from './locale.svelte';
import { en } from './more/en';
import { vi, type More } from './more/vi';

export const said = {
  get more(): More {
    return locale.shown === 'en' ? en : vi;
  }
};
