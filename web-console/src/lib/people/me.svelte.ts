// What whoever is signed in may do here and now: their grants against the areas that the server tells.
import { live } from '../api/events.svelte';
import { may, maySomewhere, type Grant, type Right } from './rights';

/** The areas from the root down to `area` itself; empty for none, and for one that is not seen. */
export function pathOf(area: string | undefined): readonly string[] {
  const it = area === undefined ? undefined : live.areas.get(area);
  if (it === undefined) return [];
  return it.path.at(-1) === it.id ? it.path : [...it.path, it.id];
}

export const me = {
  get grants(): readonly Grant[] {
    return live.session?.user.grants ?? [];
  },
  get id(): string {
    return live.session?.user.id ?? '';
  },
  /** Whether they may do it to what lies in `area` (absent: in none, which takes the right everywhere). */
  may(right: Right, area: string | undefined): boolean {
    return may(this.grants, right, pathOf(area));
  },
  somewhere(right: Right): boolean {
    return maySomewhere(this.grants, right);
  },
  /** Whether they may do it to everything that a broadcast's target names. */
  mayTarget(right: Right, target: { areas: string[]; receivers: string[] }): boolean {
    return (
      target.areas.every((id) => this.may(right, id)) && target.receivers.every((id) => live.receivers.has(id) && this.may(right, live.receivers.get(id)?.area_id))
    );
  }
};
