import { describe, expect, test } from 'vitest';
import { millis, moved, placeAt, total, turns } from './order';

const parts = [1000, 2000, 4000].map((duration_ms) => ({ duration_ms }));

describe('order', () => {
  test('one is put elsewhere and the others keep their order', () => {
    expect(moved(['a', 'b', 'c', 'd'], 0, 2)).toEqual(['b', 'c', 'a', 'd']);
    expect(moved(['a', 'b', 'c', 'd'], 3, 1)).toEqual(['a', 'd', 'b', 'c']);
    expect(moved(['a'], 0, 0)).toEqual(['a']);
  });
  test('a pointer means the row that it is over, or the nearest', () => {
    const rows = [
      { top: 0, bottom: 50 },
      { top: 50, bottom: 90 },
      { top: 90, bottom: 150 }
    ];
    expect([-10, 20, 50, 89, 149, 900].map((y) => placeAt(rows, y))).toEqual([0, 0, 1, 1, 2, 2]);
  });
});

describe('total', () => {
  test('all parts, jingles and the gaps between them', () => {
    expect(total({ parts, gap_ms: 500 })).toBe(7000 + 2 * 500);
    expect(total({ parts, gap_ms: 500, opening: { duration_ms: 300 }, closing: { duration_ms: 200 } })).toBe(7500 + 4 * 500);
    expect(total({ parts: [], gap_ms: 500, opening: { duration_ms: 300 } })).toBe(0);
  });
  test('what has dropped out does not count', () => {
    const some = parts.map((part, at) => (at === 1 ? { ...part, dropped: 'expired' } : part));
    expect(total({ parts: some, gap_ms: 500, closing: { duration_ms: 9, dropped: 'expired' } })).toBe(5500);
  });
  test('by turns it is the longest, the last one filled up from the front', () => {
    expect([1, 2, 3, 9].map((take) => turns({ parts, gap_ms: 0, take }))).toEqual([3, 2, 1, 1]);
    expect(total({ parts, gap_ms: 100, take: 1 })).toBe(4000);
    expect(total({ parts, gap_ms: 100, take: 2 })).toBe(4000 + 1000 + 100);
  });
  test('seconds become whole milliseconds', () => {
    expect([undefined, 0.1, 1.2345].map(millis)).toEqual([0, 100, 1235]);
  });
});
