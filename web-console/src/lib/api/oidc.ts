// Single sign-on: to the provider, and what it gave the browser to bring back. The provider sends the browser to /oidc.
import { ask, keep, type Session } from './client';

export type Identity = { id: string; issuer: string; name: string; created_at: string; last_used_at?: string };
/** What one went to the provider for: to come in, or to link one's account there. */
export type Errand = 'enter' | 'link';
export type Brought = { state: string; code?: string; error?: string; iss?: string };

const key = 'loa-oidc';

/** Goes to the provider; with an invitation's token the account there becomes the one of who was invited. */
export async function goToProvider(errand: Errand, link?: string): Promise<void> {
  const [path, body] = errand === 'link' ? ['/api/v1/account/identities/begin', undefined] : ['/api/v1/session/oidc/begin', { link }];
  const { url } = await ask<{ url: string }>('post', path as string, body as object | undefined);
  sessionStorage.setItem(key, errand);
  location.assign(url);
}

/** What one had gone for. Somebody else's answer is refused by the server, whatever is believed here. */
export const errand = (): Errand => (sessionStorage.getItem(key) === 'link' ? 'link' : 'enter');

/** What stands behind the question mark when the provider sends one back; null if that is no answer. */
export function brought(search: string): Brought | null {
  const query = new URLSearchParams(search);
  const state = query.get('state');
  if (state === null) return null;
  const rest = ['code', 'error', 'iss'].flatMap((name) => (query.has(name) ? [[name, query.get(name)]] : []));
  return { state, ...Object.fromEntries(rest) } as Brought;
}

export const comeIn = async (it: Brought) => keep(await ask<Session>('post', '/api/v1/session/oidc', it));
export const linkIdentity = (it: Brought) => ask<Identity>('post', '/api/v1/account/identities', it);
export const unlinkIdentity = (id: string) => ask<void>('delete', `/api/v1/account/identities/${encodeURIComponent(id)}`);
