// What stands on the map for a receiver, or for many in one place. Not here: the map (FleetMap.svelte), how they look (pins.css).
import './pins.css';
import Supercluster from 'supercluster';
import type { Fleet } from '../words/fleet/vi';
import { CONDITIONS, type Condition } from './condition';
import type { Entry } from './roster';

export type Spot = readonly [latitude: number, longitude: number];
type One = { entry: Entry };
/** Of a gathering: how many want a look. */
type Many = { bad: number; worst: number };
type Pin = Supercluster.ClusterFeature<Many> | Supercluster.PointFeature<One>;

/** The worst first; what is unknown or revoked says least. */
const rank = (condition: Condition) => CONDITIONS.indexOf(condition);
const isBad = (condition: Condition) => condition === 'offline' || condition === 'ill';

/** The receivers that have a place, to be gathered at each zoom. */
export function index(entries: readonly Entry[]): Supercluster<One, Many> {
  const clusters = new Supercluster<One, Many>({
    radius: 56,
    maxZoom: 15,
    map: ({ entry }) => ({ bad: isBad(entry.condition) ? 1 : 0, worst: rank(entry.condition) }),
    reduce: (sum, one) => {
      sum.bad += one.bad;
      sum.worst = Math.min(sum.worst, one.worst);
    }
  });
  return clusters.load(
    entries.flatMap((entry) =>
      entry.at === undefined ? [] : [{ type: 'Feature' as const, properties: { entry }, geometry: { type: 'Point' as const, coordinates: [entry.at[1], entry.at[0]] } }]
    )
  );
}

const gathered = (pin: Pin): pin is Supercluster.ClusterFeature<Many> => 'cluster' in pin.properties;

/** Everything that a pin says: two that say the same are the same. */
export function signs(pin: Pin, fleet: Fleet): string {
  const at = pin.geometry.coordinates.join();
  if (gathered(pin)) return [at, pin.properties.point_count, pin.properties.worst, fleet.cluster(1, 0)].join();
  const { id, name, condition } = pin.properties.entry;
  return [at, id, name, condition, fleet.filters[condition]].join();
}

/** A link to the receiver, or a button that shows the many apart. After the map was dragged by it, it does nothing. */
export function pinOf(pin: Pin, fleet: Fleet, { into, dragged }: { into: () => void; dragged: () => boolean }): HTMLElement {
  const element = document.createElement(gathered(pin) ? 'button' : 'a');
  const [condition, letter, name] = gathered(pin)
    ? [CONDITIONS[pin.properties.worst] ?? 'unknown', `${pin.properties.point_count_abbreviated}`, fleet.cluster(pin.properties.point_count, pin.properties.bad)]
    : [pin.properties.entry.condition, fleet.letters[pin.properties.entry.condition], `${pin.properties.entry.name}: ${fleet.filters[pin.properties.entry.condition]}`];
  element.className = gathered(pin) ? 'pin cluster' : 'pin';
  element.setAttribute('aria-label', name);
  element.title = name;
  element.draggable = false;
  if (element instanceof HTMLAnchorElement && !gathered(pin)) element.href = `/receivers/${encodeURIComponent(pin.properties.entry.id)}`;
  const sign = document.createElement('span');
  sign.className = `sign ${condition}`;
  sign.append(document.createElement('span'));
  sign.firstElementChild?.append(letter);
  element.append(sign);
  element.addEventListener('click', (event) => {
    if (dragged()) event.preventDefault();
    else if (gathered(pin)) into();
    if (gathered(pin) || dragged()) event.stopPropagation();
  });
  return element;
}
