// Roles as plain sentences: what somebody does, and where. Pure.
import type { Area } from '../api/client';
import type { More } from '../words/more/vi';
import type { Grant, Role } from './rights';

/** "Duyệt bản tin … tại Xã Tân An và các thôn": a grant as people say it. */
export function plain(grant: Grant, areas: ReadonlyMap<string, Area>, more: More): string {
  const does = more.roleDoes[grant.role as Role] ?? grant.role;
  if (grant.area_id === undefined) return more.doesEverywhere(does);
  const area = areas.get(grant.area_id);
  return more.doesAt(does, area?.name ?? more.hiddenArea, below(grant.area_id, areas, more));
}

/** What lies right below an area, by its kind if that is one: "các thôn"; empty if nothing does. */
export function below(id: string, areas: ReadonlyMap<string, Area>, more: More): string {
  const kinds = new Set([...areas.values()].filter(({ parent_id }) => parent_id === id).map(({ kind }) => kind));
  if (kinds.size === 0) return '';
  const [kind = ''] = kinds;
  return (kinds.size === 1 && more.kindsBelow[kind]) || more.placesBelow;
}
