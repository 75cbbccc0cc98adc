// What the server says of live sound, as people read it. Pure.
import type { Class } from '../api/client';
import type { Problem } from '../words/errors';

const CLASSES: readonly Class[] = ['normal', 'priority', 'emergency'];

/** What goes before what: the higher one does. */
export const rank = (one: Class): number => CLASSES.indexOf(one);

/** A refusal with its instants as `moment` says them: since when a studio is taken is told to the second and in UTC. */
export function readable(problem: Problem, moment: (at: Date) => string): Problem {
  const message = problem.message.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, (written) => moment(new Date(written)));
  return { ...problem, message };
}

/** What is wrong with a relay: the word that the server has for it, and what else it says. */
export function trouble(told: string): { word: string; detail: string } {
  const [word = '', ...rest] = told.split(': ');
  return { word, detail: rest.join(': ') };
}
