// How a bulletin fares in an area, as colour and icon. Pure.
import type { IconName } from '../ui/Icon.svelte';
import type { Tone } from '../ui/Status.svelte';

type Look = { tone: Tone; icon: IconName };
const looks: Record<string, Look> = {
  received: { tone: 'brand', icon: 'waiting' },
  scheduled: { tone: 'brand', icon: 'waiting' },
  playing: { tone: 'good', icon: 'playing' },
  played: { tone: 'good', icon: 'online' },
  interrupted: { tone: 'warn', icon: 'warning' },
  failed: { tone: 'bad', icon: 'warning' },
  refused: { tone: 'soft', icon: 'offline' }
};

/** For a state that this console does not know, too. */
export const lookOf = (state: string): Look => looks[state] ?? { tone: 'soft', icon: 'unknown' };
