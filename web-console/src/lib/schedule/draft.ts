// A schedule that is being put together: what the sentence says, and what the server is sent for it. Pure.
import type { Target } from '../api/client';
import type { NewSchedule, Schedule } from '../api/schedules';
import { retimed, ruleOf, spoken, type Rhythm } from './rule';

export type Draft = {
  /** The schedule that it would change, and its version that was seen; none: a new one. */
  id?: string;
  version?: number;
  title: string;
  bulletin: string;
  target: Target;
  /** The zone of its civil times, where it has one already. */
  zone?: string;
  /** The day from which on, or on which: 2026-02-17. */
  from: string;
  /** 05:30 */
  time: string;
  rhythm: Rhythm;
  until: string;
  except: string[];
  also: string[];
  late: string;
  paused: boolean;
  leave: string;
};

export const fresh = (from: string, target: Target = { areas: [], receivers: [] }, rhythm: Rhythm = { kind: 'weekly', days: [1, 2, 3, 4, 5, 6, 7], every: 1 }): Draft => ({
  title: '',
  bulletin: '',
  target,
  from,
  time: '05:30',
  rhythm,
  until: '',
  except: [],
  also: [],
  late: 'join',
  paused: false,
  leave: ''
});

/** A draft to change it, or (`copy`) to make another one like it. */
export function draftOf(it: Schedule, copy = false): Draft {
  const { rhythm, until } = spoken(it.rule, it.start);
  const own = copy ? {} : { id: it.id, version: it.version };
  return {
    ...own,
    // Called after its bulletin, it goes on being so when that changes.
    title: it.title === it.bulletin_title ? '' : it.title,
    bulletin: it.bulletin_id,
    target: { areas: [...it.target.areas], receivers: [...it.target.receivers] },
    zone: it.zone,
    from: it.start.slice(0, 10),
    time: it.start.slice(11, 16),
    rhythm,
    until,
    except: [...it.except],
    also: [...it.also],
    late: it.late,
    paused: it.paused,
    leave: it.override_id ?? ''
  };
}

/** At another time of day: its exceptions go along. */
export const at = (it: Draft, time: string): Draft => ({ ...it, time, except: retimed(it.except, it.time, time) });

/** What still has to be chosen, the first thing first. */
export type Part = 'bulletin' | 'time' | 'days' | 'places' | 'span';
export function missing(it: Draft): Part | null {
  if (it.bulletin === '') return 'bulletin';
  if (it.target.areas.length + it.target.receivers.length === 0) return 'places';
  if (!/^\d\d:\d\d$/.test(it.time)) return 'time';
  if (it.rhythm.kind === 'weekly' && it.rhythm.days.length === 0) return 'days';
  if (!/^\d{4}-\d\d-\d\d$/.test(it.from)) return 'span';
  return null;
}

/** What the server is sent; `named`: the bulletin's title, for a schedule without one of its own. */
export const bodyOf = (it: Draft, named: string): NewSchedule => ({
  title: (it.title.trim() || named).normalize('NFC'),
  bulletin_id: it.bulletin,
  target: it.target,
  ...(it.zone === undefined ? {} : { zone: it.zone }),
  start: `${it.from}T${it.time}:00`,
  ...optional('rule', ruleOf(it)),
  except: it.except,
  also: it.also,
  late: it.late,
  paused: it.paused,
  ...optional('override_id', it.leave || undefined),
  ...optional('version', it.version)
});

/** A schedule as it stands, to be sent again with something else about it. */
export const again = (it: Schedule, other: Partial<NewSchedule> = {}): NewSchedule => ({
  title: it.title,
  bulletin_id: it.bulletin_id,
  target: it.target,
  zone: it.zone,
  start: it.start,
  ...optional('rule', it.rule),
  except: it.except,
  also: it.also,
  late: it.late,
  paused: it.paused,
  ...optional('override_id', it.override_id),
  version: it.version,
  ...other
});

/** Whether both would be sent as the same. */
export const same = (a: Draft, b: Draft): boolean => JSON.stringify(bodyOf(a, '')) === JSON.stringify(bodyOf(b, ''));

const optional = <K extends string, V>(key: K, value: V | undefined) => (value === undefined ? {} : { [key]: value }) as { [key in K]?: V };

/** One occurrence as a schedule of its own, to ask what would come of it there. */
export function alone(it: Schedule, start: string, bulletin?: string): NewSchedule {
  const { rule: _, version: __, ...rest } = again(it, { start, except: [], also: [], paused: false });
  return { ...rest, ...optional('bulletin_id', bulletin) };
}
