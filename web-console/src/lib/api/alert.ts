// What a warning asks of the server: the prewritten bulletins, what they say, one request that is not waited for for ever, and
// whether one whose answer was lost has arrived. Not here: stopping and receipts (client.ts), which are as for any broadcast.
import { ask, type Broadcast, type Bulletin, type Target } from './client';
import type { components } from './schema';

export type Spoken = components['schemas']['SpokenText'];

/** How long an answer is waited for before it counts as lost. */
const PATIENCE = 8_000;

export type Repeating = components['schemas']['Repeating'];

/** Asks for the broadcast, now, and that it is said again. */
export const send = (bulletin_id: string, target: Target, repeat?: Repeating) =>
  ask<Broadcast>('post', '/api/v1/broadcasts', { bulletin_id, target, ...(repeat && { repeat }) }, undefined, AbortSignal.timeout(PATIENCE));

/** The newest broadcasts, as the server has them now: all that are to come or on the air are among them. */
export const newest = () => ask<Broadcast[]>('get', '/api/v1/broadcasts', undefined, { limit: 50 }, AbortSignal.timeout(PATIENCE));

/** What a typed bulletin says. */
export const textOf = (id: string) => ask<Spoken>('get', `/api/v1/bulletins/${encodeURIComponent(id)}/text`);

/** Bulletins a page: each costs about 50 bytes compressed. */
const PAGE = 1_000;

/** The bulletins that are older than `oldest`, page by page to the first. */
export async function olderThan(oldest: string): Promise<Bulletin[]> {
  const all: Bulletin[] = [];
  for (let [before, more] = [oldest, true]; more; ) {
    const page = await ask<Bulletin[]>('get', '/api/v1/bulletins', undefined, { before, limit: PAGE });
    all.push(...page);
    [before, more] = [page.at(-1)?.id ?? before, page.length === PAGE];
  }
  return all;
}
