// An area's rules as a form has them, and as short sentences that can be compared. Pure: words come in.
// What is right is the server's to say; here nothing is judged.
import type { Hours, Rules, Season } from '../api/hours';

/** `any`: at any time; `some`: in the hours listed (none listed: never). */
export type Times = { kind: 'any' | 'some'; hours: Hours[]; minutes: string };
export type SeasonForm = { name: string; from: string; to: string; yearly: boolean; times: Times };
export type RulesForm = { times: Times; seasons: SeasonForm[] };

/** A time as people type it, 5:30, as the server has it. A browser's own field for it would say 5:30 AM to many. */
export const TIME = '([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00';
export const padded = (time: string) => time.trim().padStart(5, '0');

const timesOf = (from: { hours?: Hours[] | null; daily_minutes?: number | null }): Times => ({
  kind: from.hours === undefined || from.hours === null ? 'any' : 'some',
  hours: (from.hours ?? []).map(({ days, from, to, volume }) => ({ days: [...(days ?? [])], from, to, volume: volume ?? 100 })),
  minutes: from.daily_minutes === undefined || from.daily_minutes === null ? '' : String(from.daily_minutes)
});

export const formOf = (rules: Rules): RulesForm => ({
  times: timesOf(rules),
  seasons: (rules.seasons ?? []).map((season) => ({ name: season.name, from: season.from, to: season.to, yearly: season.yearly ?? false, times: timesOf(season) }))
});

function said({ kind, hours, minutes }: Times): { hours?: Hours[]; daily_minutes?: number } {
  const list = hours.map(({ days = [], from, to, volume = 100 }) => ({
    ...(days.length > 0 && days.length < 7 ? { days: [...days].sort((a, b) => a - b) } : {}),
    from: padded(from),
    to: padded(to),
    ...(volume === 100 ? {} : { volume })
  }));
  // What is no number goes as it was typed: the server says what is wrong with it.
  const daily = minutes.trim() === '' ? {} : { daily_minutes: Number.isNaN(Number(minutes)) ? (minutes as unknown as number) : Number(minutes) };
  return { ...(kind === 'some' ? { hours: list } : {}), ...daily };
}

export const rulesOfForm = ({ times, seasons }: RulesForm): Rules => ({
  ...said(times),
  seasons: seasons.map(({ name, from, to, yearly, times }) => ({ name: name.trim().normalize('NFC'), from, to, yearly, ...said(times) }) satisfies Season)
});

/** What it takes to say rules in a language. */
export type Sayings = {
  anyTime: string;
  never: string;
  everyDay: string;
  days: readonly string[];
  hours: (days: string, from: string, to: string, volume: number) => string;
  minutesADay: (minutes: number) => string;
  season: (name: string, from: string, to: string, yearly: boolean, what: string) => string;
};

/** Days of the week in as few words as they take: all, from – to, or one by one. */
export function daysIn(days: readonly number[], words: Sayings): string {
  const sorted = [...new Set(days)].sort((a, b) => a - b);
  if (sorted.length === 0 || sorted.length === 7) return words.everyDay;
  const [first, last] = [sorted[0] ?? 1, sorted.at(-1) ?? 7];
  const name = (day: number) => words.days[day - 1] ?? String(day);
  return sorted.length > 2 && last - first === sorted.length - 1 ? `${name(first)}–${name(last)}` : sorted.map(name).join(', ');
}

function sentences(from: { hours?: Hours[] | null; daily_minutes?: number | null }, words: Sayings): string[] {
  const { hours, daily_minutes } = from;
  const times = hours === undefined || hours === null ? [words.anyTime] : hours.length === 0 ? [words.never] : hours.map((one) => words.hours(daysIn(one.days ?? [], words), one.from, one.to, one.volume ?? 100));
  return typeof daily_minutes === 'number' ? [...times, words.minutesADay(daily_minutes)] : times;
}

/** The rules, a sentence for each thing they say. */
export function inWords(rules: Rules, words: Sayings): string[] {
  const day = (text: string, yearly: boolean) => {
    if (text === '') return '…';
    const [year, month, date] = text.split('-').map(Number);
    return yearly ? `${date}/${month}` : `${date}/${month}/${year}`;
  };
  const seasons = (rules.seasons ?? []).map((one) =>
    words.season(one.name, day(one.from, one.yearly ?? false), day(one.to, one.yearly ?? false), one.yearly ?? false, sentences(one, words).join('; '))
  );
  return [...sentences(rules, words), ...seasons];
}

export type Line = { text: string; change: 'same' | 'gone' | 'new' };

/** Before and after as one list: what goes, what stays, what comes. */
export function compared(before: readonly string[], after: readonly string[]): Line[] {
  return [
    ...before.map((text) => ({ text, change: after.includes(text) ? ('same' as const) : ('gone' as const) })),
    ...after.filter((text) => !before.includes(text)).map((text) => ({ text, change: 'new' as const }))
  ];
}

/** Minutes since midnight as a clock shows them. */
export const clockOf = (minutes: number) => `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
