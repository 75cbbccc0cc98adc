import { expect, it } from 'vitest';
import type { Area } from '../api/client';
import { below } from './below';
import { lookOf } from './fared';

const area = (id: string, name: string, parent_id?: string): Area => ({ id, name, kind: 'area', path: [], parent_id, former: [] });

it('a bulletin is sent to areas right below its own, in the order of their names', () => {
  const all = [area('t', 'Tỉnh A'), area('10', 'Xã 10', 't'), area('2', 'Xã 2', 't'), area('v', 'Thôn 1', '2')];
  expect(below(all, 't', 'vi').map(({ id }) => id)).toEqual(['2', '10']);
  expect(below(all, 'v', 'vi')).toEqual([]);
  expect(below(all, undefined, 'vi').map(({ id }) => id)).toEqual(['t']);
});

it('a state that is not known yet is shown, and shown as that', () => {
  expect(lookOf('played').tone).toBe('good');
  expect(lookOf('danced')).toEqual({ tone: 'soft', icon: 'unknown' });
});
