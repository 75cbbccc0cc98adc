// What is about to be said straight to the air: chosen, then reviewed. Kept while one looks at another page.
import type { Class, Target } from '../api/client';

class Studio {
  step = $state<'choose' | 'review'>('choose');
  title = $state('');
  class = $state<Class>('normal');
  target = $state<Target>({ areas: [], receivers: [] });
  chime = $state(true);
}

export const studio = new Studio();
