// The words of schedules, apart from the rest: only their pages wait for them.
import { locale } from './locale.svelte';
import { en } from './schedule/en';
import { vi, type Scheduling } from './schedule/vi';

export const scheduling = {
  get say(): Scheduling {
    return locale.shown === 'en' ? en : vi;
  }
};
