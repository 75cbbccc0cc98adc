// The draft that is written on now, kept in this browser with every stroke: a closed lid or a lost line loses nothing.
// It belongs to who wrote it: somebody else on the same machine finds nothing.
import { me } from '../people/me.svelte';
import type { Draft } from './draft';

const KEY = 'loa.schedule.draft';
type Kept = { by: string; at: number; draft: Draft };

class Paper {
  draft = $state<Draft | null>(null);
  /** It was found here when the page was opened, written at that time. */
  foundFrom = $state<number | null>(null);
  /** Another one for each draft that is begun: what was opened and said about the one before does not go on. */
  sheet = $state(0);

  #by = '';

  /** Finds what whoever is signed in left here. */
  find() {
    if (this.draft !== null && this.#by === me.id) return;
    [this.draft, this.foundFrom] = [null, null];
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Kept | null;
      if (kept === null || kept.by !== me.id) return;
      [this.draft, this.foundFrom, this.#by] = [kept.draft, kept.at, kept.by];
    } catch {
      // Nothing that can be read: nothing is found.
    }
  }

  write(draft: Draft) {
    [this.draft, this.#by] = [draft, me.id];
    try {
      localStorage.setItem(KEY, JSON.stringify({ by: me.id, at: Date.now(), draft } satisfies Kept));
    } catch {
      // No room or not allowed: it lasts as long as the page does.
    }
  }

  put(draft: Draft) {
    this.foundFrom = null;
    this.sheet += 1;
    this.write(draft);
  }

  clear() {
    [this.draft, this.foundFrom] = [null, null];
    try {
      localStorage.removeItem(KEY);
    } catch {
      // as above
    }
  }
}

export const paper = new Paper();
