// All receivers as list and map have them: in order, with what is searched, and the same object as long as nothing of it changed,
// so that thousands cost nothing while they stay as they are. Pure but for what it remembers. Not here: when (kept.svelte.ts).
import type { Area, Receiver } from '../api/client';
import { conditionOf, type Condition } from './condition';
import { bare } from './state';

export type Entry = {
  id: string;
  name: string;
  area_id: string;
  area: string;
  /** What is looked for in: name and area without marks. */
  text: string;
  condition: Condition;
  at: readonly [latitude: number, longitude: number] | undefined;
};
export type Wanted = { condition: Condition | 'all'; within: ReadonlySet<string> | undefined; typed: string };

export class Roster {
  #order: Intl.Collator;
  #entries: readonly Entry[] = [];

  constructor(language: string) {
    this.#order = new Intl.Collator(language, { numeric: true });
  }

  /** The receivers as they are now; the very same list if nothing in it has changed. */
  look(receivers: ReadonlyMap<string, Receiver>, areas: ReadonlyMap<string, Area>, serverHeard: boolean): readonly Entry[] {
    let [changed, moved] = [false, this.#entries.length !== receivers.size];
    const before = new Map<string, Entry>();
    for (const entry of this.#entries) before.set(entry.id, entry);
    const now = new Map<string, Entry>();
    for (const receiver of receivers.values()) {
      const old = before.get(receiver.id);
      const area = areas.get(receiver.area_id)?.name ?? '';
      const condition = conditionOf(receiver, serverHeard);
      const named = old !== undefined && old.name === receiver.name && old.area_id === receiver.area_id && old.area === area;
      const placed = old !== undefined && old.at?.[0] === receiver.latitude && old.at?.[1] === receiver.longitude;
      if (named && placed && old.condition === condition) {
        now.set(old.id, old);
        continue;
      }
      changed = true;
      moved ||= !named;
      now.set(receiver.id, {
        id: receiver.id,
        name: receiver.name,
        area_id: receiver.area_id,
        area,
        text: named ? old.text : bare(`${receiver.name}\n${area}`),
        condition,
        at: receiver.latitude === undefined || receiver.longitude === undefined ? undefined : [receiver.latitude, receiver.longitude]
      });
    }
    if (moved) this.#entries = this.#sorted([...now.values()]);
    else if (changed) this.#entries = this.#entries.map((entry) => now.get(entry.id) ?? entry);
    return this.#entries;
  }

  /** By area, then by name: area by area, since comparing as Vietnamese sorts is slow. */
  #sorted(entries: Entry[]): Entry[] {
    const areas = new Map<string, Entry[]>();
    for (const entry of entries) {
      const list = areas.get(entry.area_id);
      if (list === undefined) areas.set(entry.area_id, [entry]);
      else list.push(entry);
    }
    const names = [...areas.values()].sort(([a], [b]) => this.#order.compare(a?.area ?? '', b?.area ?? ''));
    return names.flatMap((list) => list.sort((a, b) => this.#order.compare(a.name, b.name)));
  }
}

/** Whether a receiver that is so passes; one that plays, or is ill, is connected too. */
const passes = (condition: Condition, wanted: Condition | 'all') =>
  wanted === 'all' || condition === wanted || (wanted === 'online' && (condition === 'playing' || condition === 'ill'));

/** Those that are looked for, but for their condition; and of these how many there are of each. */
export function sought(entries: readonly Entry[], { condition, within, typed }: Wanted) {
  const words = bare(typed.trim());
  const near = entries.filter((entry) => (within === undefined || within.has(entry.area_id)) && (words === '' || entry.text.includes(words)));
  const counts = new Map<Condition | 'all', number>();
  for (const wanted of ['all', 'playing', 'online', 'ill', 'offline', 'unknown', 'revoked'] as const) {
    let count = 0;
    for (const entry of near) if (passes(entry.condition, wanted)) count++;
    counts.set(wanted, count);
  }
  return { counts, found: condition === 'all' ? near : near.filter((entry) => passes(entry.condition, condition)) };
}

/** An area and all below it. */
export function below(area: string, areas: ReadonlyMap<string, Area>): ReadonlySet<string> {
  const inside = [...areas.values()].filter(({ id, path }) => id === area || path.includes(area));
  return new Set(inside.map(({ id }) => id));
}
