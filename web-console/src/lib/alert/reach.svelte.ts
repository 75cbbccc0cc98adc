// Where whoever is signed in may broadcast something of a kind: areas and receivers as the tree to choose from.
import { live } from '../api/events.svelte';
import { places, type Place } from '../fleet/places';
import { me } from '../people/me.svelte';
import { locale } from '../words/locale.svelte';

export const reach = {
  /** `right` is wanted beside the one to broadcast; what lies elsewhere is not theirs to choose. */
  tree(right: 'emergency' | 'broadcast'): Place[] {
    const theirs = (area: string) => me.may('broadcast', area) && me.may(right, area);
    return places(
      [...live.areas.values()].filter(({ id }) => theirs(id)),
      [...live.receivers.values()].filter(({ area_id }) => theirs(area_id)),
      locale.language
    );
  },
  /** The names of the areas that are chosen, in the order of the tree. */
  names(tree: readonly Place[], areas: readonly string[]): string[] {
    return tree.filter(({ area }) => areas.includes(area.id)).map(({ area }) => area.name);
  }
};
