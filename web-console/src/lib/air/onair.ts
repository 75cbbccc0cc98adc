// What is on the air, what comes next and how far each broadcast has come. Pure: the instant is an argument.
// Not here: how many receivers really play; only they know, and the server passes on what they reported.
import type { Broadcast } from '../api/client';

export type Progress = { elapsedMs: number; wholeMs: number; part: number };

/** The broadcasts on the air, the earliest first. */
export function onAir(broadcasts: Iterable<Broadcast>): Broadcast[] {
  return [...broadcasts].filter(({ state }) => state === 'on_air').sort(byStart);
}

/** The scheduled broadcast that starts first. */
export function next(broadcasts: Iterable<Broadcast>): Broadcast | undefined {
  return [...broadcasts].filter(({ state }) => state === 'scheduled').sort(byStart)[0];
}

/** All broadcasts, the latest start first. */
export function newestFirst(broadcasts: Iterable<Broadcast>): Broadcast[] {
  return [...broadcasts].sort((a, b) => byStart(b, a));
}

/** How far a broadcast has come at `now` (milliseconds of the epoch), never outside its own length. */
export function progress(broadcast: Broadcast, now: number): Progress {
  const start = Date.parse(broadcast.start);
  const wholeMs = Math.max(0, Date.parse(broadcast.end) - start);
  const elapsedMs = Math.min(Math.max(0, now - start), wholeMs);
  return { elapsedMs, wholeMs, part: wholeMs > 0 ? elapsedMs / wholeMs : 0 };
}

/** Earlier start first; the id decides between equals, so that rows never swap places by chance. */
function byStart(a: Broadcast, b: Broadcast): number {
  return Date.parse(a.start) - Date.parse(b.start) || (a.id < b.id ? -1 : 1);
}
