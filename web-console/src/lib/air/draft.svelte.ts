// The broadcast that is being put together: kept while one looks at another page, or sets up a second step for it.
import type { Bulletin, Target } from '../api/client';

class Draft {
  bulletin = $state('');
  /** A playlist that was chosen to be broadcast: it is no bulletin of the list. */
  playlist = $state.raw<Pick<Bulletin, 'id' | 'title' | 'class' | 'duration_ms'> | null>(null);
  target = $state<Target>({ areas: [], receivers: [] });
}

export const draft = new Draft();
