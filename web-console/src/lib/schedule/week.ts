// The occurrences of schedules within a time, as they are to be; and how those of a day stand beside each other. Pure.
// A preview for the eye: what plays is the server's to say (it expands with the same algorithm, from the same civil times).
import { RRule } from 'rrule';
import type { Schedule } from '../api/schedules';
import { DAY, read, written } from './civil';

export type Occurrence = {
  schedule: Schedule;
  /** When the rule has it: its name in the schedule. */
  key: string;
  /** When it begins, in civil time. */
  start: number;
  length: number;
  /** It was moved there by hand. */
  moved: boolean;
  /** What sounds instead of the schedule's own. */
  bulletin?: string;
};

/** An `UNTIL` in the clothes that the rule is expanded in: a day counts whole, an instant is taken for civil time by `clock`. */
function until(rule: string, clock: (instant: number) => number): string {
  return rule.replace(/UNTIL=(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?/, (_, year, month, day, hour = '23', minute = '59', second = '59', zulu = '') => {
    const said = read(`${year}-${month}-${day}T${hour}:${minute}:${second}`);
    const civil = zulu === 'Z' ? clock(said) : said;
    return `UNTIL=${written(civil).replace(/[-:]/g, '')}Z`;
  });
}

/** Civil times at which the rule has an occurrence, from `from` on and before `to`. */
export function keys(it: Pick<Schedule, 'start' | 'rule' | 'except' | 'also'>, from: number, to: number, clock: (instant: number) => number = (at) => at): string[] {
  const dtstart = new Date(read(it.start));
  const byRule =
    it.rule === undefined ? [dtstart.getTime()] : new RRule({ ...RRule.parseString(until(it.rule, clock)), dtstart }).between(new Date(from), new Date(to - 1), true).map((at) => at.getTime());
  const all = new Set([...byRule, ...it.also.map(read)].filter((at) => from <= at && at < to));
  const except = new Set(it.except);
  return [...all].sort((a, b) => a - b).map(written).filter((key) => !except.has(key));
}

/** Every occurrence of `schedules` that begins from `from` on and before `to`, in the order of time. `lengthOf`: of another bulletin. */
export function occurrences(schedules: readonly Schedule[], from: number, to: number, lengthOf: (bulletin: string) => number | undefined, clock?: (instant: number, zone: string) => number): Occurrence[] {
  const found = schedules.flatMap((schedule) => {
    const zoned = clock === undefined ? undefined : (instant: number) => clock(instant, schedule.zone);
    const different = new Map(schedule.once.map((one) => [one.occurrence, one]));
    const one = (key: string): Occurrence => {
      const { start, bulletin_id: bulletin } = different.get(key) ?? {};
      const length = (bulletin === undefined ? undefined : lengthOf(bulletin)) ?? schedule.duration_ms;
      return { schedule, key, start: read(start ?? key), length, moved: start !== undefined, ...(bulletin === undefined ? {} : { bulletin }) };
    };
    const here = keys(schedule, from, to, zoned);
    // What was moved in from elsewhere: it occurs if its own time still does.
    const moved = schedule.once.filter(({ occurrence, start }) => start !== undefined && !here.includes(occurrence) && keys(schedule, read(occurrence), read(occurrence) + 1000, zoned).length > 0);
    return [...here, ...moved.map(({ occurrence }) => occurrence)].map(one).filter(({ start }) => from <= start && start < to);
  });
  return found.sort((a, b) => a.start - b.start || a.schedule.title.localeCompare(b.schedule.title, 'vi') || a.schedule.id.localeCompare(b.schedule.id));
}

/** The seven days from `monday` on, each with what begins then. */
export const days = (monday: number, all: readonly Occurrence[]): { day: number; list: Occurrence[] }[] =>
  [0, 1, 2, 3, 4, 5, 6].map((n) => {
    const day = monday + n * DAY;
    return { day, list: all.filter(({ start }) => day <= start && start < day + DAY) };
  });

/** Of things that take up from..to, which lane each stands in and among how many, so that none covers another. */
export function lanes(spans: readonly { from: number; to: number }[]): { lane: number; of: number }[] {
  const placed: { lane: number; of: number }[] = [];
  let group: number[] = [];
  let ends: number[] = [];
  const close = () => {
    for (const n of group) placed[n] = { lane: placed[n]?.lane ?? 0, of: ends.length };
    [group, ends] = [[], []];
  };
  spans.forEach(({ from, to }, n) => {
    if (ends.every((end) => end <= from)) close();
    const free = ends.findIndex((end) => end <= from);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = to;
    placed[n] = { lane, of: 1 };
    group.push(n);
  });
  close();
  return placed;
}
