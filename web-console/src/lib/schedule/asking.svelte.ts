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
  #number = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Asks what would come of `body` in the place of a schedule or beside all; of null, nothing. */
  ask(body: NewSchedule | null, insteadOf?: string) {
    this.stop();
    const number = this.#number;
    this.pending = body !== null;
    if (body === null) [this.forecast, this.problem] = [null, null];
    else this.#timer = setTimeout(() => void this.#answer(number, body, insteadOf), REST);
  }

  async #answer(number: number, body: NewSchedule, insteadOf?: string) {
    const { version: _, despite_clashes: __, ...question } = body;
    const [forecast, problem] = await check(question, insteadOf).then(
      (forecast) => [forecast, null] as const,
      (error: unknown) => [null, problemOf(error)] as const
    );
    if (number === this.#number) [this.forecast, this.problem, this.pending] = [forecast, problem, false];
  }

  /** Whatever is under way does not count any more. */
  stop() {
    clearTimeout(this.#timer);
    this.#number += 1;
    this.pending = false;
  }
}
