// One act that goes out once: pressed, counted down, sent, and if the answer was lost looked up before anything is said of it.
// Nothing leaves before the countdown is over; pressing again, going back or leaving the page meanwhile leave it at that.
// Not here: what is sent (that comes in), and how it looks.
import { Failure, problemOf } from '../api/client';
import type { Problem } from '../words/errors';

/** Seconds in which one can think better of it. */
export const COUNTDOWN = 5;
/** Pause between two questions whether it has arrived, and how often the server must deny it. */
const PAUSE = 2_000;
const DENIALS = 2;

/** `unknown`: sent, and the answer was lost. `idle` after that: `missed` says that the server never had it. */
export type Phase = 'idle' | 'countdown' | 'sending' | 'unknown' | 'done';
/** `first` looks whether it is there already: what it finds is it, and if it cannot look nothing is sent. */
export type Act<T> = { first?: () => Promise<T | undefined>; send: () => Promise<T>; lookUp: () => Promise<T | undefined>; done: (value: T) => void };

export class Launch<T> {
  phase = $state<Phase>('idle');
  left = $state(COUNTDOWN);
  problem = $state<Problem | null>(null);
  missed = $state(false);
  #act: Act<T> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  press(act: Act<T>) {
    if (this.phase !== 'idle') return;
    [this.#act, this.phase, this.left, this.problem, this.missed] = [act, 'countdown', COUNTDOWN, null, false];
    this.#tick();
  }

  /** Ends the countdown; what has been sent already cannot be taken back here. */
  cancel() {
    if (this.phase !== 'countdown') return;
    clearTimeout(this.#timer);
    this.phase = 'idle';
  }

  /** Forgets all of it, to begin anew. While something is on its way nothing is forgotten. */
  reset() {
    this.cancel();
    if (this.phase === 'idle' || this.phase === 'done') [this.phase, this.problem, this.missed] = ['idle', null, false];
  }

  #tick() {
    this.#timer = setTimeout(() => {
      this.left -= 1;
      if (this.left > 0) this.#tick();
      else void this.#fire();
    }, 1_000);
  }

  async #fire() {
    const act = this.#act;
    if (act === undefined || this.phase !== 'countdown') return;
    this.phase = 'sending';
    try {
      const there = await act.first?.();
      if (there !== undefined) return this.#finish(act, there);
    } catch (error) {
      [this.phase, this.problem, this.missed] = ['idle', problemOf(error), true];
      return;
    }
    try {
      this.#finish(act, await act.send());
    } catch (error) {
      if (refused(error)) [this.phase, this.problem] = ['idle', problemOf(error)];
      else await this.#search(act);
    }
  }

  /** Asks until the server says that it has it, or twice that it has not; a server that cannot be asked says neither. */
  async #search(act: Act<T>) {
    this.phase = 'unknown';
    for (let denials = 0; denials < DENIALS; ) {
      try {
        const found = await act.lookUp();
        if (found !== undefined) return this.#finish(act, found);
        denials += 1;
        this.problem = null;
      } catch (error) {
        this.problem = problemOf(error);
      }
      if (denials < DENIALS) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    [this.phase, this.missed] = ['idle', true];
  }

  #finish(act: Act<T>, value: T) {
    [this.phase, this.problem] = ['done', null];
    act.done(value);
  }
}

/** The server itself said no: it has not done it. A proxy before it, or nobody, says nothing about that. */
function refused(error: unknown): boolean {
  return error instanceof Failure && error.status >= 400 && error.status < 500 && !error.problem.code.startsWith('http_');
}
