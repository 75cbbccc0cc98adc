// Plans of receivers, asked of the server for the week that is shown: who gives way there. A few at a time, one for each area.
import { problemOf } from '../api/client';
import { plan, type Piece } from '../api/schedules';
import type { Problem } from '../words/errors';
import { MOST } from './fate';

/** So many requests are under way at once. */
const ABREAST = 4;

export class Fates {
  plans = $state.raw<Piece[][]>([]);
  /** In how many areas it was looked, of how many. */
  asked = $state(0);
  all = $state(0);
  problem = $state.raw<Problem | null>(null);
  #number = 0;

  /** Asks what `receivers` (by their identifiers) play from `from` on until `to`; what was asked before does not count any more. */
  async ask(receivers: readonly string[], from: number, to: number) {
    const number = ++this.#number;
    const waiting = receivers.slice(0, MOST);
    const plans: Piece[][] = [];
    let problem: Problem | null = null;
    const days = Math.max(1, Math.min(31, Math.ceil((to - from) / 86_400_000)));
    const next = async (): Promise<void> => {
      const one = waiting.shift();
      if (one === undefined || number !== this.#number || problem !== null) return;
      await plan(one, from, days).then(
        (pieces) => void plans.push(pieces),
        (error: unknown) => (problem = problemOf(error))
      );
      return next();
    };
    if (from < to) await Promise.all(Array.from({ length: ABREAST }, next));
    if (number !== this.#number) return;
    [this.plans, this.problem, this.all, this.asked] = [plans, problem, receivers.length, Math.min(MOST, receivers.length)];
  }
}
