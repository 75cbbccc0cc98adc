// Where a broadcast stands at each of its receivers, by what they say themselves and by whether they are connected. Pure.
import type { Area, Broadcast, Receiver, Receipt } from '../api/client';
import { places, reached } from '../fleet/places';

/** `reached`: it has the order and does not sound yet; `waiting`: connected, and has not said anything; `part`: stopped or interrupted. */
export type Standing = 'sounding' | 'played' | 'part' | 'reached' | 'waiting' | 'unreachable' | 'failed';
export const STANDINGS: readonly Standing[] = ['unreachable', 'failed', 'waiting', 'reached', 'sounding', 'part', 'played'];

const told: Record<string, Standing> = {
  received: 'reached',
  playing: 'sounding',
  played: 'played',
  interrupted: 'part',
  stopped: 'part',
  refused: 'failed',
  failed: 'failed',
  none: 'unreachable'
};

/** An outcome that this console does not know means that the receiver answered: it was reached. */
export function standing(outcome: string, online: boolean): Standing {
  if (outcome === 'pending') return online ? 'waiting' : 'unreachable';
  return told[outcome] ?? 'reached';
}

export type Board = Record<Standing, Receipt[]> & { answered: number };

/** All receipts by standing, each in the order in which they came; `answered` counts the receivers that have the order. */
export function board(receipts: readonly Receipt[], receivers: ReadonlyMap<string, Receiver>): Board {
  const found = { ...Object.fromEntries(STANDINGS.map((one) => [one, [] as Receipt[]])), answered: 0 } as Board;
  for (const receipt of receipts) found[standing(receipt.outcome, receivers.get(receipt.receiver_id)?.online ?? false)].push(receipt);
  found.answered = receipts.length - found.unreachable.length - found.waiting.length;
  return found;
}

export type Meeting = { broadcast: Broadcast; receivers: number };

/** What is on the air at some of `chosen`, and at how many of them: the most first. */
export function meets(broadcasts: Iterable<Broadcast>, chosen: readonly Receiver[], areas: Iterable<Area>, receivers: Iterable<Receiver>): Meeting[] {
  const [tree, all, ours] = [places(areas, receivers, 'vi'), [...receivers], new Set(chosen.map(({ id }) => id))];
  return [...broadcasts]
    .filter(({ state }) => state === 'on_air')
    .map((broadcast) => ({ broadcast, receivers: reached(broadcast.target, tree, all).filter(({ id }) => ours.has(id)).length }))
    .filter(({ receivers }) => receivers > 0)
    .sort((a, b) => b.receivers - a.receivers);
}
