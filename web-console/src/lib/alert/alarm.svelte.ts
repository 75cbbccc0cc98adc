// The warning that is being put together, or watched: kept while one looks at another page, or sets up a second step for it.
import { stop, problemOf, type Broadcast, type Bulletin, type Target } from '../api/client';
import { newest, olderThan, send } from '../api/alert';
import { live } from '../api/events.svelte';
import type { Problem } from '../words/errors';
import { Launch } from './launch.svelte';
import { asked, type Purpose } from './tiles';

const nowhere: Target = { areas: [], receivers: [] };
/** How many bulletins the server tells by itself: with fewer, there are no older ones. */
const TOLD = 200;

class Alarm {
  step = $state<'choose' | 'review' | 'board'>('choose');
  purpose = $state<Purpose>('warning');
  bulletin = $state('');
  target = $state<Target>(nowhere);
  /** Said again every so many minutes, for so many hours; 0: once. */
  every = $state(0);
  hours = $state(2);
  /** The broadcast that is watched. */
  watched = $state('');
  /** The one that a correction or an all-clear takes the place of: stopped as soon as that is accepted. */
  follows = $state('');
  /** Why that one could not be stopped. */
  notStopped = $state<Problem | null>(null);
  readonly launch = new Launch<Broadcast>();
  /** What was on the server before the button was pressed: not what it led to. */
  known = $state.raw<ReadonlySet<string>>(new Set());

  /** Begins another one; `target` is where the last one went. */
  choose(purpose: Purpose, target: Target = nowhere, follows = '') {
    this.launch.reset();
    [this.step, this.purpose, this.bulletin, this.target, this.follows, this.every] = ['choose', purpose, '', target, follows, 0];
  }

  review(bulletin = this.bulletin, target = this.target) {
    this.launch.reset();
    [this.step, this.bulletin, this.target] = ['review', bulletin, { areas: [...target.areas], receivers: [...target.receivers] }];
  }

  /** The same once more: reviewed like the first time. */
  repeat({ bulletin_id, target }: Broadcast) {
    [this.purpose, this.follows] = ['warning', ''];
    this.review(bulletin_id, target);
  }

  watch(id: string) {
    [this.step, this.watched] = ['board', id];
  }

  /** Counts down and sends; what was chosen is taken down here, so that nothing changes it on the way. */
  press() {
    const [bulletin, target, every_minutes, hours] = [this.bulletin, $state.snapshot(this.target), this.every, this.hours];
    const repeat = () => (every_minutes > 0 ? { every_minutes, until: new Date(Date.now() + hours * 3_600_000).toISOString() } : undefined);
    // After a request that seems not to have arrived, what was there before it still counts: it may be late.
    if (!this.launch.missed) this.known = new Set(live.broadcasts.keys());
    const lookUp = async () => asked(await newest(), bulletin, target, this.known)[0];
    this.launch.press({
      // What was missed may have come since: then it is this one.
      ...(this.launch.missed ? { first: lookUp } : {}),
      send: () => send(bulletin, target, repeat()),
      lookUp,
      done: (broadcast) => void this.#sent(broadcast)
    });
  }

  async #sent(broadcast: Broadcast) {
    live.tell({ broadcast });
    const before = live.broadcasts.get(this.follows);
    this.watch(broadcast.id);
    [this.bulletin, this.target, this.follows, this.notStopped] = ['', nowhere, '', null];
    if (before === undefined || !alive(before)) return;
    try {
      live.tell({ broadcast: await stop(before.id) });
    } catch (error) {
      this.notStopped = problemOf(error);
    }
  }
}

export const running = ({ state }: Broadcast) => state === 'scheduled' || state === 'on_air';
/** It runs, or is said again. */
export const alive = (one: Broadcast) => running(one) || one.repeat?.next !== undefined;

/** Prewritten bulletins may be old, and the server tells only the latest: the older ones are asked for once. */
class Shelf {
  older = $state.raw<Bulletin[]>([]);
  problem = $state<Problem | null>(null);
  #asked = false;

  async fill() {
    const oldest = [...live.bulletins.values()].sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at))[0];
    if (this.#asked || oldest === undefined || live.bulletins.size < TOLD) return;
    [this.#asked, this.problem] = [true, null];
    try {
      this.older = await olderThan(oldest.id);
    } catch (error) {
      [this.#asked, this.problem] = [false, problemOf(error)];
    }
  }

  get all(): Bulletin[] {
    return [...live.bulletins.values(), ...this.older.filter(({ id }) => !live.bulletins.has(id))];
  }
}

export const alarm = new Alarm();
export const shelf = new Shelf();
