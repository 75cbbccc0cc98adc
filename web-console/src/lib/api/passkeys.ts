// Passkeys (Web Authentication): what the server asks goes to the browser, what the browser answers goes back as JSON.
import { ask, Failure, keep, type Session } from './client';

type Options<T> = { options: T | { publicKey: T } };

/** True where this browser, at this address, can use passkeys at all: they belong to a name, a bare address has none. */
export const passkeysWork = (): boolean =>
  isSecureContext && !/^[\d.]+$|^\[/.test(location.hostname) && 'credentials' in navigator && typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function';

const inner = <T extends object>(options: T | { publicKey: T }): T => ('publicKey' in options ? options.publicKey : options);

/** What the browser answers, as JSON; whatever it refuses (cancelled, too late, none there) is one problem. */
async function answer(asked: Promise<Credential | null>): Promise<object> {
  let credential: Credential | null;
  try {
    credential = await asked;
  } catch {
    credential = null;
  }
  if (credential === null) throw new Failure(0, { code: 'passkey_cancelled', message: '' });
  return (credential as PublicKeyCredential).toJSON() as object;
}

/** The second step of signing in, by a passkey. */
export async function showPasskey(): Promise<Session> {
  const { options } = await ask<Options<PublicKeyCredentialRequestOptionsJSON>>('post', '/api/v1/session/passkey/options');
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(inner(options));
  const credential = await answer(navigator.credentials.get({ publicKey }));
  return keep(await ask<Session>('post', '/api/v1/session/passkey', { credential }));
}

/** Makes a passkey of that name for who is signed in; recovery codes come with the first factor. */
export async function addPasskey(name: string): Promise<{ recovery_codes?: string[] }> {
  const { options } = await ask<Options<PublicKeyCredentialCreationOptionsJSON>>('post', '/api/v1/account/passkeys/options');
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(inner(options));
  const credential = await answer(navigator.credentials.create({ publicKey }));
  return ask('post', '/api/v1/account/passkeys', { name, credential });
}
