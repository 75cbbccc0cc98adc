import { describe, expect, it } from 'vitest';
import type { Schedule } from '../api/schedules';
import { DAY, read } from './civil';
import { troubles } from './fate';
import { days, keys, lanes, occurrences } from './week';

const monday = read('2026-02-16');
const schedule = (other: Partial<Schedule>): Schedule => ({
  id: 'a', version: 1, title: 'Bản tin sáng', bulletin_id: 'b', bulletin_title: 'Bản tin', class: 'normal', duration_ms: 300_000, approved: true,
  target: { areas: ['x'], receivers: [] }, zone: 'Asia/Ho_Chi_Minh', start: '2026-02-02T05:30:00', rule: 'FREQ=DAILY', except: [], also: [], once: [], late: 'join', paused: false,
  ...other
});
const within = (...all: Schedule[]) => occurrences(all, monday, monday + 7 * DAY, (id) => (id === 'long' ? 600_000 : undefined));

describe('a week', () => {
  it('has what the rule has', () => {
    expect(within(schedule({ rule: 'FREQ=WEEKLY;BYDAY=MO,SU' })).map(({ key }) => key)).toEqual(['2026-02-16T05:30:00', '2026-02-22T05:30:00']);
    expect(within(schedule({ rule: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU' })).map(({ key }) => key)).toEqual(['2026-02-17T05:30:00']);
    expect(within(schedule({ rule: 'FREQ=DAILY;UNTIL=20260217' })).map(({ key }) => key)).toEqual(['2026-02-16T05:30:00', '2026-02-17T05:30:00']);
  });
  it('an UNTIL that is an instant ends at that civil time', () => {
    const found = keys(schedule({ rule: 'FREQ=DAILY;UNTIL=20260216T223000Z' }), monday, monday + 7 * DAY, (instant) => instant + 7 * 3_600_000);
    expect(found).toEqual(['2026-02-16T05:30:00', '2026-02-17T05:30:00']);
  });
  it('what is once is there once', () => expect(within(schedule({ rule: undefined as never, start: '2026-02-18T17:00:00' })).map(({ key }) => key)).toEqual(['2026-02-18T17:00:00']));
  it('leaves out what was dropped, and has what is besides', () => {
    const it = schedule({ rule: 'FREQ=WEEKLY;BYDAY=MO,WE', except: ['2026-02-18T05:30:00'], also: ['2026-02-20T09:00:00'] });
    expect(within(it).map(({ key }) => key)).toEqual(['2026-02-16T05:30:00', '2026-02-20T09:00:00']);
  });
  it('has what was moved where it is now, from another week too, with what sounds instead', () => {
    const once = [
      { occurrence: '2026-02-09T05:30:00', start: '2026-02-21T06:00:00' },
      { occurrence: '2026-02-16T05:30:00', start: '2026-02-25T06:00:00' },
      { occurrence: '2026-02-10T05:30:00', start: '2026-02-21T07:00:00' },
      { occurrence: '2026-02-18T05:30:00', bulletin_id: 'long' }
    ];
    const found = within(schedule({ rule: 'FREQ=WEEKLY;BYDAY=MO,WE', once }));
    expect(found.map(({ key, start, moved, length }) => [key, start, moved, length])).toEqual([
      ['2026-02-18T05:30:00', read('2026-02-18T05:30:00'), false, 600_000],
      ['2026-02-09T05:30:00', read('2026-02-21T06:00:00'), true, 300_000]
    ]);
    expect(days(monday, found).map(({ list }) => list.length)).toEqual([0, 0, 1, 0, 0, 1, 0]);
  });
});

it('none covers another', () => {
  const spans = [{ from: 0, to: 10 }, { from: 5, to: 15 }, { from: 10, to: 20 }, { from: 30, to: 40 }];
  expect(lanes(spans)).toEqual([{ lane: 0, of: 2 }, { lane: 1, of: 2 }, { lane: 0, of: 2 }, { lane: 0, of: 1 }]);
});

it('what keeps an occurrence from sounding is counted by area', () => {
  const [it] = within(schedule({ rule: 'FREQ=WEEKLY;BYDAY=MO' }));
  const piece = { broadcast_id: 'p', schedule_id: 'a', title: 'Bản tin sáng', class: 'normal' as const, from: '2026-02-15T22:30:00Z', to: '2026-02-15T22:35:00Z', fate: 'gives_way', to_title: 'Xã' };
  const plans = [[piece], [piece, { ...piece, from: '2026-02-16T22:30:00Z', fate: 'hours' }], [{ ...piece, fate: 'plays' }]];
  expect(it && troubles(it, plans)).toEqual([{ reason: 'gives_way', to: 'Xã', areas: 2 }]);
});
