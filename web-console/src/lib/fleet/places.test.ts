import { describe, expect, it } from 'vitest';
import type { Area, Receiver } from '../api/client';
import { covered, places, reached, simplest, within } from './places';

const area = (id: string, name: string, parent_id?: string, path: string[] = [id]): Area =>
  ({ id, name, kind: 'village', parent_id, path }) as Area;
const receiver = (id: string, name: string, area_id: string): Receiver => ({ id, name, area_id, online: true, volume: 50 }) as Receiver;

const areas = [area('2', 'Thôn 10', 'x', ['x', '2']), area('x', 'Xã Hoà Bình'), area('1', 'Thôn 2', 'x', ['x', '1'])];
const receivers = [receiver('b', 'Nhà văn hoá', '1'), receiver('a', 'Đình làng', '1'), receiver('c', 'Chợ', '2')];
const tree = places(areas, receivers, 'vi');

describe('places', () => {
  it('lists the tree from its root, numbers in names counted as numbers', () => {
    expect(tree.map(({ area, depth }) => `${depth} ${area.name}`)).toEqual(['0 Xã Hoà Bình', '1 Thôn 2', '1 Thôn 10']);
  });
  it('sorts receivers as Vietnamese does', () => {
    expect(tree[1]?.receivers.map(({ name }) => name)).toEqual(['Đình làng', 'Nhà văn hoá']);
  });
  it('shows an area whose parent is not visible at the top', () => {
    expect(places([area('1', 'Thôn 2', 'gone', ['gone', '1'])], receivers, 'vi')[0]?.within).toHaveLength(2);
  });
});

describe('a target', () => {
  it('reaches each receiver once, through its area or by itself', () => {
    expect(reached({ areas: ['1'], receivers: ['a', 'c'] }, tree, receivers).map(({ id }) => id).sort()).toEqual(['a', 'b', 'c']);
    expect(reached({ areas: ['x'], receivers: [] }, tree, receivers)).toHaveLength(3);
    expect(reached({ areas: [], receivers: [] }, tree, receivers)).toEqual([]);
  });
  it('is sent without what it covers already', () => {
    expect(simplest({ areas: ['x', '1'], receivers: ['c'] }, tree)).toEqual({ areas: ['x'], receivers: [] });
    expect(simplest({ areas: ['1'], receivers: ['a', 'c'] }, tree)).toEqual({ areas: ['1'], receivers: ['c'] });
    expect(covered(areas[0]!, { areas: ['x'], receivers: [] })).toBe(true);
    expect(covered(areas[1]!, { areas: ['x'], receivers: [] })).toBe(false);
  });
});

it('of a choice only what is offered counts', () => {
  expect(within({ areas: ['1', 'elsewhere'], receivers: ['a', 'gone'] }, tree)).toEqual({ areas: ['1'], receivers: ['a'] });
});
