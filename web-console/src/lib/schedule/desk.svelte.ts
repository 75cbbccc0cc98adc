// The schedules that one sees, what is done to them, and how the last of that is taken back.
import { Failure, problemOf } from '../api/client';
import * as api from '../api/schedules';
import type { NewSchedule, Once, Schedule } from '../api/schedules';
import type { Problem } from '../words/errors';
import { again } from './draft';

/** What was done last, and what takes it back. */
export type Done = { what: 'added' | 'changed' | 'paused' | 'resumed' | 'removed' | 'moved' | 'replaced' | 'dropped' | 'restored' | 'back'; title: string; undo?: () => Promise<void> };
type Different = Schedule['once'][number];

class Desk {
  schedules = $state.raw<Schedule[] | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** What an act met: shown where it was asked for. */
  failed = $state.raw<Problem | null>(null);
  busy = $state(false);
  done = $state.raw<Done | null>(null);

  async load() {
    try {
      [this.schedules, this.problem] = [await api.list(), null];
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  find = (id: string): Schedule | undefined => this.schedules?.find((one) => one.id === id);

  /** Does it, with nothing else under way; says whether it was done. */
  async #attempt(act: () => Promise<Done>): Promise<boolean> {
    if (this.busy) return false;
    [this.busy, this.failed] = [true, null];
    try {
      this.done = await act();
      return true;
    } catch (error) {
      this.failed = problemOf(error);
      // Somebody else was at it, or it is gone: what is shown is to be what there is.
      if (error instanceof Failure && [404, 409].includes(error.status)) await this.load();
      return false;
    } finally {
      this.busy = false;
    }
  }

  #put(it: Schedule) {
    const others = (this.schedules ?? []).filter(({ id }) => id !== it.id);
    this.schedules = [...others, it];
  }

  keep(body: NewSchedule): Promise<boolean> {
    return this.#attempt(async () => {
      const added = await api.add(body);
      this.#put(added);
      return { what: 'added', title: added.title, undo: () => this.#take(added.id) };
    });
  }

  /** Puts `body` in its place. Where its time of day changes, what was said of single occurrences goes along. */
  change(before: Schedule, body: NewSchedule, what: 'changed' | 'paused' | 'resumed' | 'moved' = 'changed'): Promise<boolean> {
    return this.#attempt(async () => {
      let after = await api.change(before.id, body);
      this.#put(after);
      const [was, is] = [before.start.slice(11), after.start.slice(11)];
      if (was !== is) {
        const along = before.once.filter(({ occurrence }) => occurrence.endsWith(was)).map((one) => ({ ...one, occurrence: occurrence(one, is) }));
        after = await this.#say(after, along);
      }
      return { what, title: after.title, undo: async () => this.#put(await api.change(after.id, again(before, { version: after.version, despite_clashes: true }))) };
    });
  }

  once(before: Schedule, it: Once): Promise<boolean> {
    return this.#attempt(async () => {
      const after = await api.once(before.id, before.version, it);
      this.#put(after);
      const what = it.cancel ? 'dropped' : it.start !== undefined ? 'moved' : it.bulletin_id !== undefined ? 'replaced' : 'restored';
      const was = before.once.find(({ occurrence }) => occurrence === it.occurrence);
      const back: Once = before.except.includes(it.occurrence) ? { occurrence: it.occurrence, cancel: true } : (was ?? { occurrence: it.occurrence });
      return { what, title: after.title, undo: async () => this.#put(await api.once(after.id, after.version, back)) };
    });
  }

  remove(it: Schedule): Promise<boolean> {
    return this.#attempt(async () => {
      await this.#take(it.id);
      const { version: _, ...body } = again(it, { despite_clashes: true });
      const undo = async () => {
        const added = await api.add(body);
        this.#put(added);
        await this.#say(added, it.once);
      };
      return { what: 'removed', title: it.title, undo };
    });
  }

  undo(): Promise<boolean> {
    const { undo, title } = this.done ?? {};
    if (undo === undefined) return Promise.resolve(false);
    return this.#attempt(async () => {
      await undo();
      return { what: 'back', title: title ?? '' };
    });
  }

  async #take(id: string) {
    await api.remove(id);
    this.schedules = (this.schedules ?? []).filter((one) => one.id !== id);
  }

  /** Says of single occurrences again what was said of them; of one that the rule does not have any more, nothing. */
  async #say(it: Schedule, all: readonly Different[]): Promise<Schedule> {
    let now = it;
    for (const one of all) {
      try {
        now = await api.once(now.id, now.version, one);
      } catch (error) {
        if (!(error instanceof Failure && error.status === 422)) throw error;
      }
      this.#put(now);
    }
    return now;
  }
}

const occurrence = (one: Different, time: string) => `${one.occurrence.slice(0, 11)}${time}`;

export const desk = new Desk();
