import { describe, expect, it } from 'vitest';
import type { Area, Receiver } from '../api/client';
import type { Schedule } from '../api/schedules';
import { again, alone, at, bodyOf, draftOf, fresh, missing } from './draft';
import { spokesmen } from './fate';
import { areasOf, layersOf, shownIn } from './layers';

const schedule: Schedule = {
  id: 'a', version: 3, title: 'Bản tin', bulletin_id: 'b', bulletin_title: 'Bản tin', class: 'normal', duration_ms: 1, approved: true,
  target: { areas: ['x'], receivers: [] }, zone: 'Asia/Ho_Chi_Minh', start: '2026-02-02T05:30:00', rule: 'FREQ=DAILY;UNTIL=20261231', except: ['2026-02-18T05:30:00'], also: [], once: [], late: 'skip', paused: false
};

describe('a draft', () => {
  it('says first what it lacks', () => {
    const empty = fresh('2026-02-02');
    expect(missing(empty)).toBe('bulletin');
    expect(missing({ ...empty, bulletin: 'b' })).toBe('places');
    expect(missing({ ...empty, bulletin: 'b', target: { areas: ['x'], receivers: [] } })).toBeNull();
    expect(missing({ ...draftOf(schedule), rhythm: { kind: 'weekly', days: [], every: 1 } })).toBe('days');
  });
  it('of a schedule says what that says', () => {
    const { version: _, ...body } = again(schedule);
    expect(bodyOf(draftOf(schedule), 'Bản tin')).toEqual({ ...body, version: 3 });
    expect(bodyOf(draftOf(schedule, true), 'Bản tin')).toEqual(body);
  });
  it('called after its bulletin is called after the next one, too', () => {
    expect(bodyOf({ ...draftOf(schedule), bulletin: 'c' }, 'Tin khác').title).toBe('Tin khác');
    expect(bodyOf({ ...draftOf({ ...schedule, title: 'Buổi sáng' }), bulletin: 'c' }, 'Tin khác').title).toBe('Buổi sáng');
  });
  it('at another time keeps the days on which it does not sound', () => expect(bodyOf(at(draftOf(schedule), '06:15'), '')).toMatchObject({ start: '2026-02-02T06:15:00', except: ['2026-02-18T06:15:00'] }));
  it('of one occurrence has no rule', () => expect(alone(schedule, '2026-02-19T07:00:00')).toMatchObject({ start: '2026-02-19T07:00:00', except: [] }));
});

const area = (id: string, ...above: string[]): Area => ({ id, name: id, kind: 'village', path: [...above, id], former: [] });
const receiver = (id: string, area_id: string, other: Partial<Receiver> = {}) => ({ id, name: id, area_id, online: true, volume: 1, warnings: [], rotating: false, ...other }) as Receiver;
const areas = new Map([area('x'), area('y', 'x'), area('z', 'x'), area('w')].map((one) => [one.id, one]));
const receivers = new Map([receiver('1', 'y', { revoked_at: '2026-01-01T00:00:00Z' }), receiver('2', 'y'), receiver('3', 'y'), receiver('4', 'z'), receiver('5', 'w')].map((one) => [one.id, one]));

it('one receiver speaks for each area that is reached, and each that is addressed for itself', () => {
  const of = (areas_: string[], single: string[]) => spokesmen(receivers.values(), areas, [{ target: { areas: areas_, receivers: single } }]).map(({ id }) => id);
  expect(of(['x'], [])).toEqual(['2', '4']);
  expect(of(['z'], ['3'])).toEqual(['3', '4']);
});

it('whose schedules there are', () => {
  const all = [{ target: { areas: ['y'], receivers: [] } }, { target: { areas: ['x'], receivers: ['4', 'hidden'] } }];
  expect(layersOf(all, areas, receivers, 'không rõ', 'vi').map(({ id, count }) => [id, count])).toEqual([['x', 1], ['y', 1], ['z', 1], ['', 1]]);
  expect(areasOf({ areas: [], receivers: ['2', '3'] }, receivers)).toEqual(['y']);
  expect(shownIn({ areas: ['x', 'y'], receivers: [] }, receivers, new Set(['x']))).toBe(true);
  expect(shownIn({ areas: ['x'], receivers: [] }, receivers, new Set(['x']))).toBe(false);
});
