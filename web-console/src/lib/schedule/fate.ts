// What becomes of each occurrence where it is to sound: from the plans of receivers, one for each area. Pure.
import type { Area, Receiver, Target } from '../api/client';
import type { Piece } from '../api/schedules';
import { instantOf } from './civil';
import type { Occurrence } from './week';

/** Something that keeps an occurrence, or a part of it, from sounding, and in how many areas. */
export type Trouble = { reason: string; to?: string; areas: number };

/** The most plans that are asked for at a time. */
export const MOST = 24;

/**
 * Those who speak for all that `schedules` reach: one receiver for each area, since whoever lies in one area fares alike, and those
 * that are addressed by themselves.
 */
export function spokesmen(receivers: Iterable<Receiver>, areas: ReadonlyMap<string, Area>, schedules: readonly { target: Target }[]): Receiver[] {
  const [places, single] = [new Set(schedules.flatMap(({ target }) => target.areas)), new Set(schedules.flatMap(({ target }) => target.receivers))];
  const found = new Map<string, Receiver>();
  for (const one of receivers) {
    if (one.revoked_at !== undefined) continue;
    if (single.has(one.id)) found.set(one.id, one);
    const area = areas.get(one.area_id);
    if (area !== undefined && !found.has(area.id) && (places.has(area.id) || area.path.some((id) => places.has(id)))) found.set(area.id, one);
  }
  return [...found.values()];
}

/** What troubles an occurrence, by the plans of receivers of as many areas; the most areas first. */
export function troubles(it: Occurrence, plans: readonly (readonly Piece[])[]): Trouble[] {
  const from = instantOf(it.start, it.schedule.zone);
  const to = from + it.length;
  const found = new Map<string, Trouble>();
  for (const plan of plans) {
    const here = new Set<string>();
    for (const piece of plan) {
      const at = Date.parse(piece.from);
      if (piece.schedule_id !== it.schedule.id || piece.fate === 'plays' || at < from || at >= to) continue;
      const key = `${piece.fate} ${piece.to_title ?? ''}`;
      if (here.has(key)) continue;
      here.add(key);
      const before = found.get(key);
      if (before === undefined) found.set(key, { reason: piece.fate, areas: 1, ...(piece.to_title === undefined ? {} : { to: piece.to_title }) });
      else before.areas += 1;
    }
  }
  return [...found.values()].sort((a, b) => b.areas - a.areas);
}
