// Whose schedules there are: the areas that they are addressed to, or whose single receivers are. Pure.
import type { Area, Receiver, Target } from '../api/client';

type Receivers = ReadonlyMap<string, Receiver>;

/** The areas that a target is about; `''` stands for what one does not see. */
export const areasOf = (target: Target, receivers: Receivers): string[] => [...new Set([...target.areas, ...target.receivers.map((id) => receivers.get(id)?.area_id ?? '')])];

/** A layer for each area, with how many schedules it has. */
export function layersOf(all: readonly { target: Target }[], areas: ReadonlyMap<string, Area>, receivers: Receivers, notSeen: string, language: string): { id: string; name: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { target } of all) for (const id of areasOf(target, receivers)) counts.set(id, (counts.get(id) ?? 0) + 1);
  const depth = (id: string) => areas.get(id)?.path.length ?? 99;
  const layers = [...counts].map(([id, count]) => ({ id, count, name: areas.get(id)?.name ?? notSeen }));
  return layers.sort((a, b) => depth(a.id) - depth(b.id) || a.name.localeCompare(b.name, language, { numeric: true }));
}

/** Whether something of it is in a layer that is not hidden. */
export const shownIn = (target: Target, receivers: Receivers, hidden: ReadonlySet<string>): boolean => areasOf(target, receivers).some((id) => !hidden.has(id));
