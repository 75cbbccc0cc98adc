// How a receiver is, and why: in one word for list and map, and in reasons for its page. Pure.
import type { Receiver } from '../api/client';
import type { Kept } from '../api/receivers';
import type { IconName } from '../ui/Icon.svelte';
import type { Tone } from '../ui/Status.svelte';
import { stateOf } from './state';

export type Reason = 'unknown' | 'revoked' | 'never' | 'offline' | 'clone' | 'deaf' | 'detour' | 'lossy' | 'slow' | 'clock' | 'mute';
/** The worst first; also the order in which one may have to be looked at. */
export const CONDITIONS = ['offline', 'ill', 'playing', 'online', 'unknown', 'revoked'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** From here on listeners notice. */
const LOSS = 0.02;
/** Neighbours that are further apart than this echo. */
const CLOCK = 20;
const SLOW = 500;

/** Everything that is wrong with it, the worst first. */
export function reasons(receiver: Kept, serverHeard: boolean): Reason[] {
  if (receiver.revoked_at !== undefined) return ['revoked'];
  if (!serverHeard) return ['unknown'];
  const cloned: Reason[] = receiver.warnings?.includes('clone') ? ['clone'] : [];
  if (!receiver.online) return [receiver.last_seen_at === undefined ? 'never' : 'offline', ...cloned];
  const found: [Reason, boolean][] = [
    ['deaf', receiver.path === 'none'],
    ['mute', receiver.volume === 0],
    ['lossy', (receiver.loss ?? 0) >= LOSS],
    ['clock', (receiver.clock_error_ms ?? 0) >= CLOCK],
    ['slow', (receiver.rtt_ms ?? 0) >= SLOW],
    ['detour', receiver.path === 'mqtt']
  ];
  return [...cloned, ...found.filter(([, is]) => is).map(([reason]) => reason)];
}

export function conditionOf(receiver: Receiver, serverHeard: boolean): Condition {
  const [worst] = reasons(receiver as Kept, serverHeard);
  if (worst === 'revoked' || worst === 'unknown') return worst;
  if (worst === 'never' || worst === 'offline') return 'offline';
  // That sound takes a detour is worth knowing, and no reason to drive there.
  if (worst !== undefined && worst !== 'detour') return 'ill';
  return stateOf(receiver, serverHeard);
}

export const looks: Record<Condition, { tone: Tone; icon: IconName }> = {
  playing: { tone: 'brand', icon: 'playing' },
  online: { tone: 'good', icon: 'online' },
  ill: { tone: 'warn', icon: 'warning' },
  offline: { tone: 'bad', icon: 'offline' },
  unknown: { tone: 'soft', icon: 'unknown' },
  revoked: { tone: 'soft', icon: 'stop' }
};
