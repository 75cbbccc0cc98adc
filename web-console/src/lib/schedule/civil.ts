// Civil time: what the clock on the wall of a village shows, as the server writes it (2026-02-17T05:30:00). It is counted in
// milliseconds as if it were UTC, which has neither gaps nor doubles. Pure.

export const MINUTE = 60_000;
export const DAY = 86_400_000;
/** Where nothing says otherwise. */
export const ZONE = 'Asia/Ho_Chi_Minh';

/** The civil time that the server wrote, or a day alone. */
export const read = (text: string): number => Date.parse(text.includes('T') ? `${text}Z` : `${text}T00:00:00Z`);
/** As the server reads it. */
export const written = (civil: number): string => new Date(civil).toISOString().slice(0, 19);
/** Its day: 2026-02-17. */
export const dayOf = (civil: number): string => written(civil).slice(0, 10);
/** Its time of day: 05:30. */
export const timeOf = (civil: number): string => written(civil).slice(11, 16);
/** The beginning of its day. */
export const midnight = (civil: number): number => Math.floor(civil / DAY) * DAY;
/** 1 (Monday) to 7 (Sunday). */
export const weekday = (civil: number): number => ((Math.floor(civil / DAY) + 3) % 7) + 1;
/** The beginning of its week, a Monday. */
export const monday = (civil: number): number => midnight(civil) - (weekday(civil) - 1) * DAY;

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    const two = '2-digit' as const;
    clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: two, day: two, hour: two, minute: two, second: two });
    clocks.set(zone, clock);
  }
  return clock;
}

/** What `zone` shows at an instant. */
export function civilOf(instant: number, zone: string): number {
  const parts = Object.fromEntries(clockOf(zone).formatToParts(instant).map(({ type, value }) => [type, Number(value)])) as Record<string, number>;
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The instant at which `zone` shows `civil`; in a gap, that after it. */
export function instantOf(civil: number, zone: string): number {
  const offset = civilOf(civil, zone) - civil;
  const guess = civil - offset;
  return civil - (civilOf(guess, zone) - guess);
}
