// Areas and receivers as a tree, and which receivers a choice of places reaches. Pure: no state, no requests.
// The server resolves the target again when the broadcast starts; this only shows beforehand what will be asked for.
import type { Area, Receiver, Target } from '../api/client';

export type Place = { area: Area; depth: number; receivers: Receiver[]; within: Receiver[] };

/** The ids from the root down to the area itself, whether or not the server's path contains the area's own id. */
function lineage(area: Area): string[] {
  return area.path.at(-1) === area.id ? area.path : [...area.path, area.id];
}

/** Areas in tree order, each with its own receivers and all those within; siblings and receivers sorted as Vietnamese sorts. */
export function places(areas: Iterable<Area>, receivers: Iterable<Receiver>, language: string): Place[] {
  const order = new Intl.Collator(language, { numeric: true });
  const sorted = [...receivers].sort((a, b) => order.compare(a.name, b.name));
  const all = new Map([...areas].map((area) => [area.id, area]));
  const children = new Map<string | null, Area[]>();
  for (const area of all.values()) {
    const parent = area.parent_id && all.has(area.parent_id) ? area.parent_id : null;
    children.set(parent, [...(children.get(parent) ?? []), area]);
  }
  const list: Place[] = [];
  const visit = (parent: string | null, depth: number) => {
    for (const area of (children.get(parent) ?? []).sort((a, b) => order.compare(a.name, b.name))) {
      list.push({
        area,
        depth,
        receivers: sorted.filter((receiver) => receiver.area_id === area.id),
        within: sorted.filter((receiver) => {
          const own = all.get(receiver.area_id);
          return own !== undefined && lineage(own).includes(area.id);
        })
      });
      visit(area.id, depth + 1);
    }
  };
  visit(null, 0);
  return list;
}

/** The receivers that `target` reaches, each once. */
export function reached(target: Target, list: readonly Place[], receivers: Iterable<Receiver>): Receiver[] {
  const found = new Map<string, Receiver>();
  for (const place of list)
    if (target.areas.includes(place.area.id)) for (const receiver of place.within) found.set(receiver.id, receiver);
  for (const receiver of receivers) if (target.receivers.includes(receiver.id)) found.set(receiver.id, receiver);
  return [...found.values()];
}

/** True when an area above `area` is chosen, so that it is covered already. */
export function covered(area: Area, target: Target): boolean {
  return lineage(area).some((id) => id !== area.id && target.areas.includes(id));
}

/** The same choice without what another part of it covers already. */
export function simplest(target: Target, list: readonly Place[]): Target {
  const areas = list.filter(({ area }) => target.areas.includes(area.id) && !covered(area, target)).map(({ area }) => area.id);
  const inside = new Set(list.filter(({ area }) => areas.includes(area.id)).flatMap(({ within }) => within.map(({ id }) => id)));
  return { areas, receivers: target.receivers.filter((id) => !inside.has(id)) };
}

/** The part of the choice that the tree offers. */
export function within(target: Target, list: readonly Place[]): Target {
  const areas = new Set(list.map(({ area }) => area.id));
  const receivers = new Set(list.flatMap(({ receivers }) => receivers.map(({ id }) => id)));
  return { areas: target.areas.filter((id) => areas.has(id)), receivers: target.receivers.filter((id) => receivers.has(id)) };
}
