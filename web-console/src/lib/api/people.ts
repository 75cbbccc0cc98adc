// What managers of people ask of the server.
import type { Grant } from '../people/rights';
import { ask } from './client';

export type Person = {
  id: string;
  username: string;
  display_name: string;
  grants: Grant[];
  /** Since when they may not sign in any more. */
  disabled_at?: string;
  /** They have not chosen a password yet. */
  invited: boolean;
  factors: string[];
  /** All that they are lies where the caller manages people. */
  manageable: boolean;
};
export type Change = { display_name?: string; disabled?: boolean; grants?: Grant[] };

const at = (id: string) => `/api/v1/users/${encodeURIComponent(id)}`;

export const people = () => ask<Person[]>('get', '/api/v1/users');
/** Makes a user and the link by which they come in the first time. */
export const invite = (username: string, display_name: string, grants: Grant[]) =>
  ask<{ user: Person; link: string }>('post', '/api/v1/users', { username, display_name, grants });
export const changePerson = (id: string, change: Change) => ask<Person>('patch', at(id), change);
/** A link by which somebody sets a new password; their second factors go. */
export const resetLink = (id: string) => ask<{ link: string; expires_at: string }>('post', `${at(id)}/link`);
