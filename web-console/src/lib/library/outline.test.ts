import { describe, expect, it } from 'vitest';
import { outline, tagsOf } from './outline';

describe('an outline', () => {
  it('has a bar for each peak where there is room, and its largest where there is not', () => {
    expect(outline([255, 0], 4, 10)).toBe('M1 0V10M3 4.5V5.5');
    expect(outline([10, 255, 0, 0], 2, 10)).toBe('M0.5 0V10M1.5 4.5V5.5');
    expect(outline([], 100, 10)).toBe('');
  });
  it('is at most as many bars as units', () => {
    expect(outline(Array.from({ length: 2000 }, () => 9), 600, 40).match(/M/g)).toHaveLength(600);
  });
});

describe('tags', () => {
  it('are separated by commas, composed, each once', () => {
    expect(tagsOf(' trẻ em, lu\u0303,lũ,, ')).toEqual(['trẻ em', 'lũ']);
  });
});
