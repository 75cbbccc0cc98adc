// The record of who did what.
import { ask } from './client';

export type Entry = { id: string; at: string; who: string; origin: string; what: string; subject: string; before?: unknown; after?: unknown; detail?: string };
export type Filter = { who?: string; what?: string };

/** Entries a page. */
const PAGE = 50;

/** The entries before `before` (absent: the newest), newest first. Fewer than a page does not mean that there are no more. */
export const record = (filter: Filter, before?: string) =>
  ask<Entry[]>('get', '/api/v1/record', undefined, { ...filter, before, limit: PAGE });
