import { expect, it } from 'vitest';
import { outlines } from '../../../outlines';

const { home, near } = outlines();
const shows = (longitude: number, latitude: number) =>
  home.coordinates.some(([outer = []]) => outer.some(([x = 0, y = 0]) => Math.hypot(x - longitude, y - latitude) < 0.5));

it('are of Vietnam from Lũng Cú to Cà Mau, with Hoàng Sa and Trường Sa', () => {
  for (const [longitude, latitude] of [[105.32, 23.39], [104.72, 8.6], [112.34, 16.83], [114.37, 10.38]] as const) expect(shows(longitude, latitude), `${latitude}`).toBe(true);
  const islands = near.coordinates.filter(([outer = []]) => outer.every(([x = 0, y = 0]) => x > 111 && x < 116 && y > 7 && y < 17.3));
  expect(islands).toEqual([]);
});

it('are light enough for a phone', () => expect(JSON.stringify({ home, near }).length).toBeLessThan(400_000));
