// What state to show for a receiver, and the receivers in a state. Pure.
// While the server is not heard, every state is unknown: the last one known may be hours old.
import type { Receiver } from '../api/client';

export type ReceiverState = 'playing' | 'online' | 'offline' | 'unknown';
export type Filter = 'all' | ReceiverState;

export function stateOf(receiver: Receiver, serverHeard: boolean): ReceiverState {
  if (!serverHeard) return 'unknown';
  if (!receiver.online) return 'offline';
  return receiver.playing ? 'playing' : 'online';
}

/** A playing receiver is online too, so that "online" never seems to shrink when a broadcast starts. */
export function passes(state: ReceiverState, filter: Filter): boolean {
  return filter === 'all' || state === filter || (filter === 'online' && state === 'playing');
}

/** How many of `states` pass each filter; unknown is offered only while there is something unknown. */
export function filters(states: readonly ReceiverState[]): { filter: Filter; count: number }[] {
  const offered: Filter[] = states.includes('unknown') ? ['all', 'unknown'] : ['all', 'playing', 'online', 'offline'];
  return offered.map((filter) => ({ filter, count: states.filter((state) => passes(state, filter)).length }));
}

/** True when `name` contains what was typed; case and Vietnamese marks do not matter, however they were composed. */
export function named(name: string, typed: string): boolean {
  return bare(name).includes(bare(typed.trim()));
}

/** Without case and Vietnamese marks. */
export function bare(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('đ', 'd');
}
