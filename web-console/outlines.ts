// The map's outlines, cut out of Natural Earth when the console is built: Vietnam, and what lies around it. As
// `virtual:outlines`, GeoJSON of three sorts. Not here: drawing (src/lib/fleet/FleetMap.svelte); why so: docs/decisions/0025.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Feature, MultiPolygon, Polygon, Position } from 'geojson';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import type { Plugin } from 'vite';

type Box = readonly [west: number, south: number, east: number, north: number];
type Ring = Position[];

/** What is drawn at all; beyond, there is sea. */
const FRAME: Box = [95, 3, 120, 27];
const HOME = 'Vietnam';
/** Natural Earth gives these to others, or to nobody; the law of Vietnam has them on every map as hers. */
const ISLANDS: readonly Box[] = [
  [111, 15.5, 113.2, 17.3],
  [111.5, 7, 116, 12]
];
const NEAR = new Set(['China', 'Laos', 'Cambodia', 'Thailand', 'Myanmar', 'Malaysia', 'Indonesia', 'Philippines', 'Brunei', 'Taiwan', 'Hong Kong', 'Macao']);
/** Parts of a degree that are kept: a hundred metres; of the neighbours, two kilometres; out of sight, next to nothing. */
const FINE = 1000;
const COARSE = 50;
const UNSEEN = 1;

const inside = ([west, south, east, north]: Box) => ([x = 0, y = 0]: Position) => x >= west && x <= east && y >= south && y <= north;

/** Rounded, without points that fall together. */
function rounded(ring: Ring, parts: number): Ring {
  const seen = inside(FRAME);
  const all = ring.map((point) => point.map((it) => Math.round(it * (seen(point) ? parts : UNSEEN)) / (seen(point) ? parts : UNSEEN)));
  return all.filter(([x, y], i) => i === 0 || x !== all[i - 1]?.[0] || y !== all[i - 1]?.[1]);
}

export function outlines(): Record<'home' | 'near', MultiPolygon> {
  const path = createRequire(import.meta.url).resolve('world-atlas/countries-10m.json');
  const atlas = JSON.parse(readFileSync(path, 'utf8')) as Topology<{ countries: GeometryCollection<{ name: string }> }>;
  const [home, near]: Ring[][][] = [[], []];
  for (const { properties, geometry } of feature(atlas, atlas.objects.countries).features as Feature<Polygon | MultiPolygon, { name: string }>[]) {
    const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
    for (const polygon of polygons) {
      const [outer] = polygon;
      if (outer === undefined || !outer.some(inside(FRAME))) continue;
      const islands = ISLANDS.some((box) => outer.every(inside(box)));
      if (properties.name === HOME || islands) home?.push(polygon.map((ring) => (islands ? ring : rounded(ring, FINE))).filter((ring) => ring.length > 3));
      else if (NEAR.has(properties.name)) near?.push(polygon.map((ring) => rounded(ring, COARSE)).filter((ring) => ring.length > 3));
    }
  }
  const whole = (polygons: Ring[][] = []): MultiPolygon => ({ type: 'MultiPolygon', coordinates: polygons.filter((rings) => rings.length > 0) });
  return { home: whole(home), near: whole(near) };
}

/** Gives them to the console as a module. */
export function outlinesPlugin(): Plugin {
  const name = 'virtual:outlines';
  return {
    name: 'outlines',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: (id) => (id === `\0${name}` ? `export default JSON.parse(${JSON.stringify(JSON.stringify(outlines()))})` : undefined)
  };
}
