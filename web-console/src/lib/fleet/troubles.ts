// What a receiver's history comes to: how much of the time it was there, and when something was wrong. Pure.
import type { Stretch } from '../api/receivers';

export type Trouble = { from: number; to: number; online: number; drops: number; restarts: number; loss: number };

/** From here on listeners notice. */
const LOSS = 0.02;
/** Whoever reported in all but this much of the time was there: one report may be late. */
const ALL = 0.999;

const wrong = ({ online, drops, restarts, loss }: Stretch) => online < ALL || drops > 0 || restarts > 0 || (loss ?? 0) >= LOSS;

/** Stretches in which something was wrong, those that follow each other as one; the latest first. */
export function troubles(stretches: readonly Stretch[], step: number, end: number): Trouble[] {
  const found: (Trouble & { spans: number })[] = [];
  for (const stretch of stretches) {
    if (!wrong(stretch)) continue;
    const from = Date.parse(stretch.at);
    const to = Math.min(from + step, end);
    const last = found.at(-1);
    const { online, drops, restarts, loss = 0 } = stretch;
    if (last === undefined || last.to < from) found.push({ from, to, online, drops, restarts, loss, spans: 1 });
    else {
      const spans = last.spans + 1;
      Object.assign(last, { to, spans, online: (last.online * last.spans + online) / spans, drops: last.drops + drops, restarts: last.restarts + restarts, loss: Math.max(last.loss, loss) });
    }
  }
  return found.reverse().map(({ spans: _, ...trouble }) => trouble);
}

/** Of all of it: the part in which it was there, how often it went and began afresh. */
export function sum(stretches: readonly Stretch[]) {
  const of = (value: (one: Stretch) => number) => stretches.reduce((sum, one) => sum + value(one), 0);
  return { online: of(({ online }) => online) / Math.max(1, stretches.length), drops: of(({ drops }) => drops), restarts: of(({ restarts }) => restarts) };
}
