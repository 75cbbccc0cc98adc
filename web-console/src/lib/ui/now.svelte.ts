// The present instant by the server's clock, for whatever shows passing time; ticks only while something shows it.
import { createSubscriber } from 'svelte/reactivity';
import { serverNow } from '../api/client';

const TICK = 500;

const ticking = createSubscriber((update) => {
  const timer = setInterval(update, TICK);
  return () => clearInterval(timer);
});

export const now = {
  /** Milliseconds of the epoch. */
  get at(): number {
    ticking();
    return serverNow();
  }
};
