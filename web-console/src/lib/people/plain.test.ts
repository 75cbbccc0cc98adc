import { describe, expect, it } from 'vitest';
import type { Area } from '../api/client';
import { en } from '../words/more/en';
import { vi } from '../words/more/vi';
import { plain } from './plain';

const area = (id: string, name: string, kind: string, parent_id?: string): [string, Area] => [id, { id, name, kind, parent_id, path: [] } as unknown as Area];
const areas = new Map([
  area('t', 'Tỉnh Bắc Ninh', 'province'),
  area('x', 'Xã Tân An', 'commune', 't'),
  area('1', 'Thôn Đông', 'village', 'x'),
  area('2', 'Khu chợ', 'market', 't')
]);

describe('a role in plain words', () => {
  it('says what, where, and what lies below by its kind', () => {
    expect(plain({ role: 'approver', area_id: 'x' }, areas, vi)).toBe('Duyệt bản tin, phát khẩn cấp tại Xã Tân An và các thôn');
    expect(plain({ role: 'officer', area_id: 't' }, areas, vi)).toContain('và các nơi bên dưới');
  });
  it('says nothing of what is below when nothing is', () => {
    expect(plain({ role: 'technician', area_id: '1' }, areas, vi)).toMatch(/tại Thôn Đông$/);
  });
  it('everywhere is said', () => {
    expect(plain({ role: 'auditor' }, areas, en)).toMatch(/everywhere$/);
  });
  it('of an area that one does not see gives no name away', () => {
    expect(plain({ role: 'officer', area_id: 'hidden' }, areas, vi)).not.toContain('hidden');
  });
});
