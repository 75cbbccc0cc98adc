// The server's answer to what is being put together, while it is: asked when the hand rests, and only the last answer counts.
import { problemOf } from '../api/client';
import { check, type Forecast, type NewSchedule } from '../api/schedules';
import type { Problem } from '../words/errors';

/** How long nothing changes before the server is asked. */
const REST = 350;

export class Asking {
  forecast = $state.raw<Forecast | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** An answer is under way: what is shown is of what was before. */
  pending = $state(false);
  #asked = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Asks what would come of `body`; of null, nothing. The same is not asked twice, unless `anew`. */
  ask(body: NewSchedule | null, insteadOf?: string, anew = false) {
    const question = JSON.stringify([body, insteadOf]);
    if (question === this.#asked && !anew) return;
    this.#asked = question;
    clearTimeout(this.#timer);
    this.pending = body !== null;
    if (body === null) {
      [this.forecast, this.problem] = [null, null];
      return;
    }
    this.#timer = setTimeout(() => void this.#answer(question, body, insteadOf), REST);
  }

  async #answer(question: string, body: NewSchedule, insteadOf?: string) {
    const [forecast, problem] = await check(body, insteadOf).then(
      (forecast) => [forecast, null] as const,
      (error: unknown) => [null, problemOf(error)] as const
    );
    if (question !== this.#asked) return;
    [this.forecast, this.problem, this.pending] = [forecast, problem, false];
    // What could not be asked is asked again with the next change, the same or not.
    if (problem !== null) this.#asked = '';
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
