// Schedules in words: times, days, places, and who gives way. Not here: the words themselves (words/schedule).
import type { Target } from '../api/client';
import { live } from '../api/events.svelte';
import type { Clash, Schedule } from '../api/schedules';
import type { Problem } from '../words/errors';
import { locale } from '../words/locale.svelte';
import { scheduling } from '../words/schedule.svelte';
import { civilOf, dayOf, read, weekday, ZONE } from './civil';
import type { Trouble } from './fate';
import { runs, spoken, type Rhythm } from './rule';

const parts = (civil: number) => [Number(dayOf(civil).slice(8)), Number(dayOf(civil).slice(5, 7)), Number(dayOf(civil).slice(0, 4))] as const;

/** 5:30 */
export const timeSaid = (civil: number): string => new Date(civil).toISOString().slice(11, 16).replace(/^0/, '');

/** Thứ 3, 17/2 */
export function dateSaid(civil: number): string {
  const { say } = scheduling;
  const [day, month] = parts(civil);
  return say.date(say.days[weekday(civil) - 1] ?? '', day, month);
}

export function shortDate(civil: number): string {
  const [day, month] = parts(civil);
  return scheduling.say.shortDate(day, month);
}

export function fullDate(civil: number): string {
  return scheduling.say.fullDate(...parts(civil));
}

/** An instant as the clock on the wall of `zone` shows it: 5:30 Thứ 3, 17/2. */
export function whenSaid(instant: string, zone = ZONE): string {
  const civil = civilOf(Date.parse(instant), zone);
  return `${timeSaid(civil)} ${dateSaid(civil)}`;
}

/** On which days, as a part of a sentence. */
export function daysSaid(rhythm: Rhythm, from: string): string {
  const { say } = scheduling;
  switch (rhythm.kind) {
    case 'once':
      return say.onDate(dateSaid(read(from)));
    case 'monthly':
      return say.monthlyOn(Number(from.slice(8)));
    case 'own':
      return say.ownRule;
    case 'weekly': {
      if (rhythm.days.length === 0) return say.noDays;
      if (rhythm.days.length === 7 && rhythm.every === 1) return say.everyDay;
      const name = (day: number) => say.days[day - 1] ?? '';
      const days = runs(rhythm.days).map(([first, last]) => (first === last ? name(first) : say.range(name(first), name(last))));
      return say.onDays(days.join(', '), rhythm.every);
    }
  }
}

/** The places of a target by name. */
export function placesSaid({ areas, receivers }: Target): string {
  const names = areas.map((id) => live.areas.get(id)?.name ?? scheduling.say.notSeen);
  if (areas.length === 0 && receivers.length <= 2) return receivers.map((id) => live.receivers.get(id)?.name ?? scheduling.say.notSeen).join(', ');
  return locale.words.places(names, receivers.length);
}

/** The whole schedule as one sentence. */
export function sentence(it: Schedule): string {
  const { say } = scheduling;
  const { rhythm, until } = spoken(it.rule, it.start);
  const more = [
    ...(rhythm.kind !== 'once' && it.start.slice(0, 10) > dayOf(civilOf(Date.now(), it.zone)) ? [say.sayFrom(fullDate(read(it.start)))] : []),
    ...(until === '' ? [] : [say.sayUntil(fullDate(read(until)))]),
    ...(it.except.length === 0 ? [] : [say.sayExcept(it.except.length)]),
    ...(it.once.length === 0 ? [] : [say.sayMoved(it.once.length)])
  ];
  return [say.sentence(it.title, timeSaid(read(it.start)), daysSaid(rhythm, it.start.slice(0, 10)), placesSaid(it.target)), ...more].join(', ');
}

/** What does not sound, why, since when and where. */
export function clashSaid(it: Clash, zone?: string): string {
  const { say } = scheduling;
  const who = it.mine ? say.mine : say.titled(it.title);
  const what = it.reason === 'gives_way' ? say.givesWay(say.titled(it.to_title ?? ''), say.because[it.because ?? ''] ?? '') : (say.reasons[it.reason] ?? it.reason);
  return say.clash(who, what, whenSaid(it.first_at, zone), it.times, it.receivers);
}

/** What troubles an occurrence. */
export function troubleSaid(it: Trouble): string {
  const { say } = scheduling;
  const what = it.reason === 'gives_way' ? say.givesWay(say.titled(it.to ?? ''), '') : (say.reasons[it.reason] ?? it.reason);
  return say.inAreas(what, it.areas);
}

/** What went wrong, said for a page that shows what the others did by itself. */
export const here = (problem: Problem): Problem => (problem.code === 'changed' ? { ...problem, code: '', message: scheduling.say.changedMeanwhile } : problem);
