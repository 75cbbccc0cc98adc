import { expect, it } from 'vitest';
import { sum, troubles } from './troubles';

const START = Date.parse('2026-01-01T00:00:00Z');
const STEP = 600_000;
const stretch = (n: number, more = {}) => ({ at: new Date(START + n * STEP).toISOString(), online: 1, drops: 0, restarts: 0, loss: 0.001, ...more });

it('are told once for as long as they last, the latest first', () => {
  const all = [stretch(0), stretch(1, { drops: 1 }), stretch(2, { online: 0, loss: undefined }), stretch(3, { restarts: 1 }), stretch(4), stretch(5, { loss: 0.3 })];
  expect(troubles(all, STEP, START + 5.5 * STEP)).toEqual([
    { from: START + 5 * STEP, to: START + 5.5 * STEP, online: 1, drops: 0, restarts: 0, loss: 0.3 },
    { from: START + STEP, to: START + 4 * STEP, online: 2 / 3, drops: 1, restarts: 1, loss: 0.001 }
  ]);
  expect(sum(all)).toEqual({ online: 5 / 6, drops: 1, restarts: 1 });
  expect(troubles([stretch(0)], STEP, START + STEP)).toEqual([]);
});
