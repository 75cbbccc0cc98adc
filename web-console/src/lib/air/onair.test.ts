import { describe, expect, it } from 'vitest';
import type { Broadcast } from '../api/client';
import { newestFirst, next, onAir, progress } from './onair';

const broadcast = (id: string, state: Broadcast['state'], start: string, end = start): Broadcast =>
  ({ id, state, start, end, title: id }) as Broadcast;

const list = [
  broadcast('c', 'on_air', '2026-11-24T05:31:00+07:00'),
  broadcast('b', 'on_air', '2026-11-23T22:30:00Z'), // the same as 05:30+07:00
  broadcast('a', 'on_air', '2026-11-24T05:30:00+07:00'),
  broadcast('e', 'scheduled', '2026-11-24T17:00:00+07:00'),
  broadcast('d', 'scheduled', '2026-11-24T11:30:00+07:00'),
  broadcast('z', 'done', '2026-11-24T04:00:00+07:00')
];
const ids = (some: Broadcast[]) => some.map(({ id }) => id).join('');

describe('the order of broadcasts', () => {
  it('compares instants, not texts, and ids between equals', () => expect(ids(onAir(list))).toBe('abc'));
  it('knows which comes next', () => {
    expect(next(list)?.id).toBe('d');
    expect(next([])).toBeUndefined();
  });
  it('lists the newest first', () => expect(ids(newestFirst(list))).toBe('edcbaz'));
});

describe('progress', () => {
  const one = broadcast('x', 'on_air', '2026-11-24T05:30:00+07:00', '2026-11-24T05:30:20+07:00');
  const at = (seconds: number) => progress(one, Date.parse(one.start) + seconds * 1000);
  it('follows the clock', () => expect(at(5)).toEqual({ elapsedMs: 5000, wholeMs: 20_000, part: 0.25 }));
  it('stays inside the broadcast', () => {
    expect(at(-3).elapsedMs).toBe(0);
    expect(at(99).part).toBe(1);
  });
  it('of an empty broadcast is nothing, not NaN', () => expect(progress(list[0]!, 0).part).toBe(0));
});
