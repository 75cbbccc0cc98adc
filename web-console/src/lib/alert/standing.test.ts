import { describe, expect, it } from 'vitest';
import type { Area, Broadcast, Receipt, Receiver } from '../api/client';
import { board, meets, standing } from './standing';

const receiver = (id: string, area_id = 'xa', online = true) => ({ id, name: id, area_id, online }) as Receiver;
const receipt = (receiver_id: string, outcome: string) => ({ receiver_id, name: receiver_id, outcome }) as Receipt;

describe('where a receiver stands', () => {
  it('is what it says; silent, it is not reached unless it is connected', () => {
    expect(['pending', 'received', 'playing', 'played', 'none', 'refused', 'stopped'].map((one) => standing(one, true))).toEqual(['waiting', 'reached', 'sounding', 'played', 'unreachable', 'failed', 'part']);
    expect(standing('pending', false)).toBe('unreachable');
    expect(standing('playing', false)).toBe('sounding');
    expect(standing('something new', true)).toBe('reached');
  });
  it('is counted by who answered, not by whom it was sent to', () => {
    const of = board([receipt('a', 'playing'), receipt('b', 'pending'), receipt('c', 'pending'), receipt('d', 'refused'), receipt('e', 'pending')], new Map(['a', 'b'].map((id) => [id, receiver(id)])));
    expect([of.answered, of.sounding.length, of.waiting.length]).toEqual([2, 1, 1]);
    expect(of.unreachable.map(({ name }) => name)).toEqual(['c', 'e']);
  });
});

it('what is on the air meets a warning where both reach the same receivers', () => {
  const areas = [
    { id: 'xa', name: 'Xã', path: ['xa'] },
    { id: 'thon', name: 'Thôn', parent_id: 'xa', path: ['xa', 'thon'] }
  ] as Area[];
  const receivers = [receiver('1', 'thon'), receiver('2', 'thon'), receiver('3', 'xa')];
  const broadcast = (id: string, state: string, target: object) => ({ id, state, target: { areas: [], receivers: [], ...target } }) as unknown as Broadcast;
  const list = [broadcast('one', 'on_air', { receivers: ['1'] }), broadcast('all', 'on_air', { areas: ['xa'] }), broadcast('other', 'on_air', { receivers: ['3'] }), broadcast('later', 'scheduled', { areas: ['xa'] })];
  expect(meets(list, receivers.slice(0, 2), areas, receivers).map(({ broadcast, receivers }) => [broadcast.id, receivers])).toEqual([['all', 2], ['one', 1]]);
});
