import { describe, expect, it, vi } from 'vitest';
import type { Broadcast, Bulletin } from '../api/client';
import { soundable, sound } from './drill';
import { asked, groups, purposeOf, ready, same } from './tiles';

const bulletin = (title: string, more: Partial<Bulletin> = {}): Bulletin =>
  ({ id: title, title, class: 'emergency', state: 'approved', tags: [], language: 'vi', duration_ms: 1, samples: 48, format: 'text', created_at: '', ...more }) as Bulletin;

describe('prewritten bulletins', () => {
  it('say what they are for in the title or by a tag, with or without marks', () => {
    expect(purposeOf(bulletin('Đính chính: đê an toàn'))).toBe('correction');
    expect(purposeOf(bulletin('Dinh chinh'))).toBe('correction');
    expect(purposeOf(bulletin('Hết bão', { tags: ['Báo yên'] }))).toBe('all_clear');
    expect(purposeOf(bulletin('Cảnh báo lũ'))).toBe('warning');
  });
  it('are grouped: those wanted first, by field, those without one last', () => {
    const list = [bulletin('Báo yên'), bulletin('Cháy'), bulletin('Lũ', { field: 'Thiên tai' }), bulletin('Bão', { field: 'Thiên tai' }), bulletin('Đính chính')];
    const said = (wanted: 'warning' | 'all_clear') => groups(list, wanted, 'vi').map(({ purpose, field, bulletins }) => `${purpose}/${field}: ${bulletins.map(({ title }) => title).join()}`);
    expect(said('warning')).toEqual(['warning/Thiên tai: Bão,Lũ', 'warning/: Cháy', 'correction/: Đính chính', 'all_clear/: Báo yên']);
    expect(said('all_clear')[0]).toBe('all_clear/: Báo yên');
  });
  it('are ready when approved and not out of date', () => {
    const at = Date.parse('2026-11-27T10:00:00Z');
    expect(ready(bulletin('a'), at)).toBe(true);
    expect(ready(bulletin('a', { state: 'draft' }), at)).toBe(false);
    expect(ready(bulletin('a', { expires_at: '2026-11-27T09:00:00Z' }), at)).toBe(false);
  });
});

describe('a drill', () => {
  const text = bulletin('Diễn tập phòng lũ', { class: 'priority' });
  it('sounds only what says that it is one, and never an emergency', () => {
    expect(soundable(text, 0)).toBe(true);
    for (const other of [bulletin('Diễn tập phòng lũ'), bulletin('Cảnh báo lũ', { class: 'normal' }), { ...text, state: 'draft' as const }]) {
      const send = vi.fn();
      expect(() => sound(other, { areas: ['a'], receivers: [] }, 0, send)).toThrow();
      expect(send).not.toHaveBeenCalled();
    }
  });
});

describe('a request whose answer was lost', () => {
  const target = { areas: ['a', 'b'], receivers: ['r'] };
  const one = (id: string, more: Partial<Broadcast> = {}) => ({ id, bulletin_id: 'lũ', target: { areas: ['b', 'a'], receivers: ['r'] }, start: '2026-11-27T10:00:00Z', ...more }) as Broadcast;
  it('is known by its bulletin and places among what was not there before', () => {
    const list = [one('old'), one('other', { bulletin_id: 'cháy' }), one('elsewhere', { target: { areas: ['a'], receivers: ['r'] } }), one('mine'), one('later', { start: '2026-11-27T10:00:01Z' })];
    expect(asked(list, 'lũ', target, new Set(['old'])).map(({ id }) => id)).toEqual(['later', 'mine']);
  });
  it('goes by places in any order', () => {
    expect(same({ areas: ['a', 'b'], receivers: [] }, { areas: ['a', 'c'], receivers: [] })).toBe(false);
    expect(same({ areas: [], receivers: ['a'] }, { areas: ['a'], receivers: [] })).toBe(false);
  });
});
