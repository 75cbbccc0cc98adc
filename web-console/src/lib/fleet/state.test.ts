import { describe, expect, it } from 'vitest';
import type { Receiver } from '../api/client';
import { filters, named, passes, stateOf } from './state';

const receiver = (online: boolean, playing?: string): Receiver => ({ id: 'r', name: 'r', area_id: 'a', volume: 50, online, playing, rotating: false, warnings: [] });

describe('the state of a receiver', () => {
  it('is what it reported', () => {
    expect(stateOf(receiver(true), true)).toBe('online');
    expect(stateOf(receiver(true, 'b'), true)).toBe('playing');
  });
  it('is offline when offline, whatever it last played', () => expect(stateOf(receiver(false, 'b'), true)).toBe('offline'));
  it('is unknown while the server is not heard', () => expect(stateOf(receiver(true, 'b'), false)).toBe('unknown'));
});

describe('filters', () => {
  it('count a playing receiver as online too', () => {
    expect(filters(['playing', 'online', 'offline']).map(({ filter, count }) => `${filter} ${count}`)).toEqual([
      'all 3',
      'playing 1',
      'online 2',
      'offline 1'
    ]);
    expect(passes('online', 'playing')).toBe(false);
  });
  it('do not claim states that nobody knows', () => {
    expect(filters(['unknown', 'unknown'])).toEqual([
      { filter: 'all', count: 2 },
      { filter: 'unknown', count: 2 }
    ]);
  });
});

describe('looking for a name', () => {
  it('needs neither case nor marks', () => {
    expect(named('Đình làng Hoà Bình', 'dinh lang')).toBe(true);
    expect(named('Đình làng', 'Đình'.normalize('NFD'))).toBe(true);
    expect(named('Nhà văn hoá', ' VĂN ')).toBe(true);
    expect(named('Nhà văn hoá', 'chợ')).toBe(false);
  });
});
