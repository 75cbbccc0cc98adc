import { describe, expect, it } from 'vitest';
import type { Area, Receiver } from '../api/client';
import type { Kept } from '../api/receivers';
import { conditionOf, reasons } from './condition';
import { below, Roster, sought } from './roster';

const area = (id: string, name: string, path: string[]): [string, Area] => [id, { id, name, kind: 'area', path, former: [] }];
const areas = new Map([area('x', 'Xã Phù Lãng', ['x']), area('d', 'Thôn Đông', ['x', 'd']), area('t', 'Thôn Tây', ['x', 't'])]);
const receiver = (id: string, more: Partial<Kept> = {}): Receiver => ({ id, name: `Cột ${id}`, area_id: 'd', online: true, volume: 80, warnings: [], rotating: false, last_seen_at: '2026-01-01T00:00:00Z', path: 'udp', ...more });
const of = (...list: Receiver[]) => new Map(list.map((one) => [one.id, one]));
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id).join();

describe('a roster', () => {
  it('is in order of area, then name, numbers as people count', () => {
    const entries = new Roster('vi').look(of(receiver('10'), receiver('2'), receiver('1', { area_id: 't' }), receiver('3', { area_id: 'x' })), areas, true);
    expect(ids(entries)).toBe('2,10,1,3');
  });
  it('stays the same as long as nothing changed, and each entry as long as it did not', () => {
    const roster = new Roster('vi');
    const first = roster.look(of(receiver('1'), receiver('2')), areas, true);
    expect(roster.look(of(receiver('1', { rtt_ms: 3 }), receiver('2')), areas, true)).toBe(first);
    const second = roster.look(of(receiver('1', { latitude: 21, longitude: 105 }), receiver('2')), areas, true);
    expect([second === first, second[1] === first[1], second[0]?.at]).toEqual([false, true, [21, 105]]);
    expect(ids(roster.look(of(receiver('2')), areas, true))).toBe('2');
  });
  it('is searched without marks, by area and by condition, with counts', () => {
    const entries = new Roster('vi').look(of(receiver('1', { online: false }), receiver('2', { playing: 'b' }), receiver('3', { area_id: 't' })), areas, true);
    const wanted = { condition: 'all', within: undefined, typed: 'thon dong' } as const;
    expect(ids(sought(entries, wanted).found)).toBe('1,2');
    expect(ids(sought(entries, { ...wanted, condition: 'online', typed: '' }).found)).toBe('2,3');
    expect(ids(sought(entries, { ...wanted, typed: '', within: below('t', areas) }).found)).toBe('3');
    const { counts } = sought(entries, { condition: 'offline', within: below('x', areas), typed: '' });
    expect([counts.get('all'), counts.get('online'), counts.get('offline')]).toEqual([3, 2, 1]);
  });
});

describe('a condition', () => {
  it('has its reasons, the worst first', () => {
    const at = (more: Partial<Kept>, heard = true) => [conditionOf(receiver('1', more), heard), ...reasons(receiver('1', more) as Kept, heard)].join();
    expect(at({})).toBe('online');
    expect(at({ playing: 'b', path: 'mqtt' })).toBe('playing,detour');
    expect(at({ loss: 0.2, clock_error_ms: 40, path: 'mqtt' })).toBe('ill,lossy,clock,detour');
    expect(at({ warnings: ['clone'], volume: 0 })).toBe('ill,clone,mute');
    expect(at({ online: false, loss: 0.2 })).toBe('offline,offline');
    expect(at({ online: false, last_seen_at: undefined })).toBe('offline,never');
    expect(at({}, false)).toBe('unknown,unknown');
    expect(at({ revoked_at: '2026-01-01T00:00:00Z' }, false)).toBe('revoked,revoked');
  });
});
