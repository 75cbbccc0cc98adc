// A schedule's rule as a sentence has it, and back (RFC 5545 §3.3.10). What has no words here stays as it is, to the letter. Pure.
import { dayOf, read as civil, weekday } from './civil';

/** Monday first, as the server counts days. */
const DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];
export const WHOLE_WEEK = [1, 2, 3, 4, 5, 6, 7];

export type Rhythm =
  | { kind: 'once' }
  /** On these days (1 is Monday) of every so many weeks. */
  | { kind: 'weekly'; days: number[]; every: number }
  /** On the start's day of each month. */
  | { kind: 'monthly' }
  /** A rule that has no words here. */
  | { kind: 'own'; rule: string };

/** `until`: the last day, 2026-02-17; empty: without end. */
export type Spoken = { rhythm: Rhythm; until: string };

/** What a rule says, for a start. */
export function spoken(rule: string | undefined, start: string): Spoken {
  if (rule === undefined) return { rhythm: { kind: 'once' }, until: '' };
  const own: Spoken = { rhythm: { kind: 'own', rule }, until: '' };
  const parts = new Map(rule.split(';').map((part) => part.split('=') as [string, string]));
  const until = /^(\d{4})(\d\d)(\d\d)(?:T235959)?$/.exec(parts.get('UNTIL') ?? '');
  if (parts.has('UNTIL') && until === null) return own;
  const last = until === null ? '' : until.slice(1).join('-');
  const every = Number(parts.get('INTERVAL') ?? 1);
  const said = [...parts.keys()].filter((key) => !['FREQ', 'UNTIL', 'INTERVAL', 'WKST'].includes(key));
  if (!Number.isInteger(every) || every < 1 || (parts.get('WKST') ?? 'MO') !== 'MO') return own;
  const only = (...keys: string[]) => said.every((key) => keys.includes(key));
  const freq = parts.get('FREQ');
  if (freq === 'DAILY' && every === 1 && only()) return { rhythm: { kind: 'weekly', days: [...WHOLE_WEEK], every }, until: last };
  if (freq === 'WEEKLY' && only('BYDAY')) {
    const named = parts.get('BYDAY')?.split(',');
    const days = named?.map((name) => DAYS.indexOf(name) + 1) ?? [weekday(civil(start))];
    return days.includes(0) ? own : { rhythm: { kind: 'weekly', days: days.sort((a, b) => a - b), every }, until: last };
  }
  const sameDay = (parts.get('BYMONTHDAY') ?? String(Number(start.slice(8, 10)))) === String(Number(start.slice(8, 10)));
  if (freq === 'MONTHLY' && every === 1 && only('BYMONTHDAY') && sameDay) return { rhythm: { kind: 'monthly' }, until: last };
  return own;
}

/** The rule that says it; absent: once. */
export function ruleOf({ rhythm, until }: Spoken): string | undefined {
  const last = until === '' ? '' : `;UNTIL=${until.replaceAll('-', '')}`;
  switch (rhythm.kind) {
    case 'once':
      return undefined;
    case 'own':
      return rhythm.rule;
    case 'monthly':
      return `FREQ=MONTHLY${last}`;
    case 'weekly': {
      if (rhythm.days.length === 7 && rhythm.every === 1) return `FREQ=DAILY${last}`;
      const days = [...rhythm.days].sort((a, b) => a - b).map((day) => DAYS[day - 1]);
      return `FREQ=WEEKLY${rhythm.every === 1 ? '' : `;INTERVAL=${rhythm.every}`};BYDAY=${days.join(',')}${last}`;
    }
  }
}

/** Days as people say them: three or more in a row are one range. */
export function runs(days: readonly number[]): [first: number, last: number][] {
  const list: [number, number][] = [];
  for (const day of [...days].sort((a, b) => a - b)) {
    const run = list.at(-1);
    if (run !== undefined && run[1] === day - 1) run[1] = day;
    else list.push([day, day]);
  }
  return list.flatMap(([first, last]): [number, number][] => (last - first === 1 ? [[first, first], [last, last]] : [[first, last]]));
}

/** Civil times of exceptions, when the time of day of what they name changes. */
export const retimed = (times: readonly string[], from: string, to: string): string[] =>
  times.map((text) => (text.slice(11, 16) === from ? `${text.slice(0, 10)}T${to}:00` : text));

/**
 * Rhythm and start when an occurrence is moved to another time and all others with it. A weekly day becomes the other one; what
 * cannot be said so (another day of something daily, or of a rule without words) is null.
 */
export function shifted(rule: string | undefined, start: string, from: number, to: number): { start: string; rule: string | undefined } | null {
  const time = new Date(to).toISOString().slice(11, 16);
  const { rhythm, until } = spoken(rule, start);
  if (rhythm.kind === 'once') return { start: `${dayOf(to)}T${time}:00`, rule };
  const [before, after] = [weekday(from), weekday(to)];
  if (dayOf(from) === dayOf(to)) return { start: `${start.slice(0, 10)}T${time}:00`, rule };
  if (rhythm.kind !== 'weekly' || rhythm.days.length === 7 || (rhythm.days.includes(after) && before !== after)) return null;
  const days = rhythm.days.map((day) => (day === before ? after : day));
  return { start: `${start.slice(0, 10)}T${time}:00`, rule: ruleOf({ rhythm: { ...rhythm, days }, until }) };
}
