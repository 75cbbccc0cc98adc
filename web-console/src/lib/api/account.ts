// What one asks of the server about oneself: password, second factors, sessions, tokens; and the links that let people in.
import { ask, keep, type Session } from './client';
import type { Identity } from './oidc';

export type Factor = { id: string; kind: string; name: string; created_at: string; last_used_at?: string };
export type OwnSession = { id: string; /** By what it was begun. */ how: 'password' | 'oidc'; begun_at: string; last_used_at: string; origin: string; current: boolean };
export type Account = {
  factors: Factor[];
  recovery_codes_left: number;
  second_factor_required: boolean;
  identities: Identity[];
  has_password: boolean;
  sessions: OwnSession[];
};
export type Token = { id: string; name: string; rights: string[]; area_id?: string; created_at: string; expires_at: string; last_used_at?: string };
export type NewToken = { name: string; rights: string[]; area_id?: string; expires_at: string };
export type Link = { username: string; display_name: string; kind: string };

export const account = () => ask<Account>('get', '/api/v1/account');
export const changePassword = (current: string, password: string) => ask<void>('post', '/api/v1/account/password', { current, password });
export const totpOptions = () => ask<{ secret: string; uri: string }>('post', '/api/v1/account/totp/options');
export const addTotp = (name: string, code: string) => ask<{ recovery_codes?: string[] }>('post', '/api/v1/account/totp', { name, code });
export const removeFactor = (id: string) => ask<void>('delete', `/api/v1/account/factors/${encodeURIComponent(id)}`);/** Other recovery codes in place of those that are left. */
export const newCodes = () => ask<{ recovery_codes: string[] }>('post', '/api/v1/account/recovery-codes');
export const endSession = (id: string) => ask<void>('delete', `/api/v1/account/sessions/${encodeURIComponent(id)}`);

export const tokens = () => ask<Token[]>('get', '/api/v1/tokens');
export const makeToken = (token: NewToken) => ask<Token & { token: string }>('post', '/api/v1/tokens', token);
export const removeToken = (id: string) => ask<void>('delete', `/api/v1/tokens/${encodeURIComponent(id)}`);

/** Whom a link is for, and what. */
export const lookAtLink = (token: string) => ask<Link>('post', '/api/v1/link/look', { token });
/** Uses a link: sets the password and signs in. */
export const takeLink = async (token: string, password: string) => keep(await ask<Session>('post', '/api/v1/link', { token, password }));
