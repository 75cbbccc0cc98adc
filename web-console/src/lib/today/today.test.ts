import { describe, expect, it } from 'vitest';
import type { Broadcast, Bulletin, Receiver } from '../api/client';
import type { Override, Schedule } from '../api/hours';
import { coming, ill, toAllow, toApprove, today } from './today';

const now = Date.parse('2026-11-27T08:00:00+07:00');
const broadcast = (id: string, state: string, start: string, schedule_id?: string) => ({ id, title: id, state, start, schedule_id, target: {}, class: 'normal' }) as Broadcast;
const schedule = (id: string, next?: string, more: Partial<Schedule> = {}) => ({ id, title: id, next, paused: false, approved: true, target: {}, class: 'normal', ...more }) as Schedule;

describe('what comes', () => {
  const list = coming(
    [broadcast('b', 'scheduled', '2026-11-27T09:00:00+07:00'), broadcast('made', 'scheduled', '2026-11-27T02:30:00Z', 's'), broadcast('over', 'done', '2026-11-27T07:00:00+07:00')],
    [schedule('s', '2026-11-27T09:30:00+07:00'), schedule('t', '2026-11-27T08:30:00+07:00'), schedule('tomorrow', '2026-11-28T17:00:00+07:00'), schedule('paused', '2026-11-27T08:10:00+07:00', { paused: true }), schedule('never')],
    now
  );
  it('is in the order of time, and a turn that is a broadcast already counts once', () => expect(list.map(({ title }) => title)).toEqual(['t', 'b', 'made', 'tomorrow']));
  it('is what is left of the day, or else the first thing at all', () => {
    expect(today(list.filter(({ title }) => title === 'tomorrow'), now).map(({ title }) => title)).toEqual(['tomorrow']);
    expect(today([], now)).toEqual([]);
  });
});

describe('what waits', () => {
  it('are receivers that are silent or warn, and are in service', () => {
    const one = (id: string, more: Partial<Receiver>) => ({ id, online: true, warnings: [], ...more }) as unknown as Receiver;
    expect(ill([one('well', {}), one('off', { online: false }), one('clone', { warnings: ['clone'] }), one('gone', { online: false, revoked_at: 'x' })]).map(({ id }) => id)).toEqual(['off', 'clone']);
  });
  it('is what one may approve or allow, and is not yet', () => {
    expect(toApprove([{ id: 'a', state: 'draft' }, { id: 'b', state: 'approved' }] as Bulletin[], () => true).length).toBe(1);
    expect(toAllow([{ id: 'a', holds: false, area_id: 'x' }, { id: 'b', holds: true, area_id: 'x' }, { id: 'c', holds: false, area_id: 'y' }] as Override[], (area) => area === 'x').map(({ id }) => id)).toEqual(['a']);
  });
});
