// The roster of what the server tells, looked at once a second: thousands of receivers report each minute, and who reads a list
// need not see each report by itself.
import { untrack } from 'svelte';
import { live } from '../api/events.svelte';
import { locale } from '../words/locale.svelte';
import { Roster, type Entry } from './roster';

const PAUSE = 1_000;

/** All receivers, as long as the component is shown that asks for them. */
export function kept(): { readonly entries: readonly Entry[] } {
  let entries = $state.raw<readonly Entry[]>([]);
  $effect.pre(() => {
    const roster = new Roster(locale.language);
    const look = () => untrack(() => (entries = roster.look(live.receivers, live.areas, live.connection !== 'lost')));
    // What is new, or lost, is shown at once.
    void [live.connection, live.receivers.size, live.areas.size];
    look();
    const timer = setInterval(look, PAUSE);
    return () => clearInterval(timer);
  });
  return {
    get entries() {
      return entries;
    }
  };
}
