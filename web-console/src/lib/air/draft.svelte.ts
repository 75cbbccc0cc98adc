// The broadcast that is being put together: kept while one looks at another page, or sets up a second step for it.
import type { Target } from '../api/client';

class Draft {
  bulletin = $state('');
  target = $state<Target>({ areas: [], receivers: [] });
}

export const draft = new Draft();
