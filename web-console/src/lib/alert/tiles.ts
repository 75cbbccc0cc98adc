// The prewritten bulletins in the order in which they are wanted: by what they are for, and what they are about. Pure.
import type { Broadcast, Bulletin, Target } from '../api/client';
import { named } from '../fleet/state';

/** What a bulletin is for, as its title or a tag says: `đính chính` corrects, `báo yên` ends, everything else warns. */
export type Purpose = 'warning' | 'correction' | 'all_clear';
export type Group = { purpose: Purpose; field: string; bulletins: Bulletin[] };

const signs: Record<Exclude<Purpose, 'warning'>, readonly string[]> = {
  correction: ['đính chính', 'correction'],
  all_clear: ['báo yên', 'all clear', 'all-clear']
};
const says = (bulletin: Bulletin, words: readonly string[]) => words.some((word) => [bulletin.title, ...(bulletin.tags ?? [])].some((text) => named(text, word)));

export function purposeOf(bulletin: Bulletin): Purpose {
  if (says(bulletin, signs.correction)) return 'correction';
  return says(bulletin, signs.all_clear) ? 'all_clear' : 'warning';
}

/** True for a text that is made for drills, and says so. */
export const forDrills = (bulletin: Bulletin) => says(bulletin, ['diễn tập', 'drill']);

/** Approved, and not out of date at `now`. */
export const ready = (bulletin: Bulletin, now: number) =>
  bulletin.state === 'approved' && (bulletin.expires_at === undefined || Date.parse(bulletin.expires_at) > now);

/** The bulletins by purpose, the one wanted first, then by field as Vietnamese sorts; those without a field last. */
export function groups(bulletins: readonly Bulletin[], wanted: Purpose, language: string): Group[] {
  const order = new Intl.Collator(language, { numeric: true });
  const found = new Map<string, Group>();
  for (const bulletin of [...bulletins].sort((a, b) => order.compare(a.title, b.title))) {
    const [purpose, field] = [purposeOf(bulletin), bulletin.field ?? ''];
    const group = found.get(`${purpose} ${field}`) ?? { purpose, field, bulletins: [] };
    group.bulletins.push(bulletin);
    found.set(`${purpose} ${field}`, group);
  }
  const rank = ({ purpose, field }: Group) => [purpose === wanted ? 0 : 1, ['warning', 'correction', 'all_clear'].indexOf(purpose), field === '' ? 1 : 0];
  return [...found.values()].sort((a, b) => {
    const [ours, theirs] = [rank(a), rank(b)];
    return ours.map((one, at) => one - (theirs[at] ?? 0)).find((one) => one !== 0) ?? order.compare(a.field, b.field);
  });
}

/** True when both name the same places, in whatever order. */
export const same = (a: Target, b: Target) =>
  (['areas', 'receivers'] as const).every((kind) => a[kind].length === b[kind].length && new Set([...a[kind], ...b[kind]]).size === a[kind].length);

/** The broadcasts of that bulletin to those places which were not there before (`known`), the newest first. */
export function asked(broadcasts: Iterable<Broadcast>, bulletin: string, target: Target, known: ReadonlySet<string>): Broadcast[] {
  return [...broadcasts]
    .filter((one) => one.bulletin_id === bulletin && !known.has(one.id) && same(one.target, target))
    .sort((a, b) => Date.parse(b.start) - Date.parse(a.start));
}
