// The library: bulletins found, described, deleted; the outline of their sound.
import { ask, type Bulletin } from './client';

export type Wanted = { search?: string; folder?: string; field?: string; language?: string; tag?: string };
export type Change = { title?: string; folder?: string; field?: string; language?: string; tags?: string[]; expires_at?: string };

/** Bulletins a page. */
export const PAGE = 30;

const path = (id: string) => `/api/v1/bulletins/${encodeURIComponent(id)}`;

/** The bulletins older than `before` (absent: the newest), newest first. */
export const find = (wanted: Wanted, before?: string) => ask<Bulletin[]>('get', '/api/v1/bulletins', undefined, { ...wanted, before, limit: PAGE });
export const change = (id: string, body: Change) => ask<Bulletin>('patch', path(id), body);
export const remove = (id: string) => ask<undefined>('delete', path(id));
/** The largest sample of each of many stretches of equal length, full scale being 255. */
export const peaks = async (id: string) => (await ask<{ peaks: number[] }>('get', `${path(id)}/peaks`)).peaks;
