import { describe, expect, it } from 'vitest';
import type { Area, Receiver } from '../api/client';
import { vi } from '../words/more/vi';
import { lines, withNames } from './said';

const names = {
  areas: new Map([['x', { id: 'x', name: 'Xã Tân An', kind: 'commune', path: ['x'] } as unknown as Area]]),
  receivers: new Map([['r', { id: 'r', name: 'Đình làng', area_id: 'x' } as Receiver]])
};

describe('what an entry changed', () => {
  it('is said field by field, without what stayed the same', () => {
    expect(lines({ volume: 50, name: 'Chợ' }, { volume: 80, name: 'Chợ' }, names, vi)).toEqual([{ field: vi.fields.volume, before: '50', after: '80' }]);
  });
  it('says what the server calls by a word of its own, and nothing of what is new and nothing', () => {
    expect(lines(undefined, { kind: 'commune', parent_id: 'x', code: null }, names, vi)).toEqual([
      { field: vi.fields.kind, after: 'xã' },
      { field: vi.fields.parent_id, after: 'Xã Tân An' }
    ]);
  });
  it('names areas and receivers, and says roles as sentences', () => {
    const [moved] = lines({ area_id: 'x' }, { area_id: 'y' }, names, vi);
    expect(moved).toMatchObject({ before: 'Xã Tân An', after: 'y' });
    const [granted] = lines({ grants: [] }, { grants: [{ role: 'officer', area_id: 'x' }] }, names, vi);
    expect(granted?.before).toBe(vi.nothing);
    expect(granted?.after).toContain('tại Xã Tân An');
    expect(lines(undefined, { receivers: ['r'] }, names, vi)[0]?.after).toBe('Đình làng');
  });
  it('says roles as the server writes them down as sentences too', () => {
    const id = '0199aaaa-0000-7000-8000-000000000001';
    const known = { ...names, areas: new Map([[id, { id, name: 'Thôn Đông', kind: 'village', path: [id] } as unknown as Area]]) };
    const [line] = lines({ grants: [`officer in ${id}`] }, { grants: ['auditor everywhere'] }, known, vi);
    expect(line?.before).toMatch(/tại Thôn Đông$/);
    expect(line?.after).toMatch(/ở mọi nơi$/);
    expect(withNames(`lan: officer in ${id}`, known)).toBe('lan: officer in Thôn Đông');
  });
  it('reads JSON that came as text, and shows other text as it is', () => {
    expect(lines('{"disabled":false}', '{"disabled":true}', names, vi)).toEqual([{ field: vi.fields.disabled, before: vi.no, after: vi.yes }]);
    expect(lines(undefined, 'đã gửi', names, vi)).toEqual([{ field: '', after: 'đã gửi' }]);
  });
  it('of nothing is nothing', () => expect(lines(undefined, undefined, names, vi)).toEqual([]));
});
