// What comes next and what waits for somebody, out of what the server tells. Pure: the instant and the rights come in.
import type { Broadcast, Bulletin, Receiver } from '../api/client';
import type { Override, Schedule } from '../api/hours';

export type Coming = { key: string; title: string; at: number; target: Broadcast['target']; class: Broadcast['class']; approved: boolean };

/** Broadcasts that are to come and each schedule's next turn, in the order of time; a turn that is a broadcast already counts once. */
export function coming(broadcasts: Iterable<Broadcast>, schedules: readonly Schedule[], now: number): Coming[] {
  const waiting = [...broadcasts].filter(({ state }) => state === 'scheduled');
  const turns = new Set([...broadcasts].map(({ schedule_id, start }) => `${schedule_id} ${Date.parse(start)}`));
  const planned = schedules.flatMap((one) => {
    const at = one.next === undefined ? Number.NaN : Date.parse(one.next);
    return one.paused || !(at > now) || turns.has(`${one.id} ${at}`)
      ? []
      : [{ key: one.id, title: one.title, at, target: one.target, class: one.class, approved: one.approved }];
  });
  const made = waiting.map((one) => ({ key: one.id, title: one.title, at: Date.parse(one.start), target: one.target, class: one.class, approved: true }));
  return [...made, ...planned].sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1));
}

/** Those of the day of `now`; on a day without any the first that comes. */
export function today(list: readonly Coming[], now: number): Coming[] {
  const day = new Date(now).toDateString();
  const found = list.filter(({ at }) => new Date(at).toDateString() === day);
  return found.length > 0 ? found : list.slice(0, 1);
}

/** Receivers that somebody should look at: not connected, or with a warning of their own; not those taken out of service. */
export const ill = (receivers: Iterable<Receiver>) => [...receivers].filter((one) => one.revoked_at === undefined && (!one.online || one.warnings.length > 0));

/** Bulletins that wait for the approval of whoever may give it. */
export const toApprove = (bulletins: Iterable<Bulletin>, may: (bulletin: Bulletin) => boolean) => [...bulletins].filter((one) => (one.state === 'draft' || one.state === 'submitted') && may(one));

/** Overrides that wait for a second person, where this one may be it. */
export const toAllow = (overrides: readonly Override[], may: (area: string) => boolean) => overrides.filter((one) => !one.holds && may(one.area_id));
