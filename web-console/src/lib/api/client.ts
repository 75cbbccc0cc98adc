// Everything the console asks of the server, one function a request; types come from the server's own OpenAPI document.
// Each answers with the value or throws `Failure`. Not here: what the server tells unasked (events.svelte.ts), words.
import createClient, { type Middleware } from 'openapi-fetch';
import type { Problem } from '../words/errors';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Area = Schemas['Area'];
export type Receiver = Schemas['Receiver'];
export type Bulletin = Schemas['Bulletin'];
export type Broadcast = Schemas['Broadcast'];
export type Receipt = Schemas['Receipt'];
export type Session = Schemas['Session'] & SecondFactor;
export type User = Schemas['User'];
export type Target = Schemas['Target'];
export type Class = Schemas['Class'];
export type Snapshot = Schemas['Snapshot'];

/** How far a session has come with second factors, and by which its owner can show themselves. */
type SecondFactor = { second_factor?: 'off' | 'needed' | 'passed'; factors?: string[] };

/** A request that did not succeed, with what to say about it; `status` is 0 when the server was not reached. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem
  ) {
    super(problem.message);
  }
}

/** Whatever was thrown, as a problem that can be shown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Failure) return error.problem;
  return { code: 'unexpected', message: error instanceof Error ? error.message : String(error) };
}

let csrf = '';
let clockOffset = 0;

/** The server's present instant, as well as its Date headers tell (to a second): people's clocks may be wrong by hours. */
export function serverNow(): number {
  return Date.now() + clockOffset;
}

/** Learns the server's clock from an answer; only larger differences count, since the header has whole seconds. */
function learnClock(date: string | null) {
  if (date === null) return;
  const offset = Date.parse(date) + 500 - Date.now();
  if (Number.isFinite(offset) && Math.abs(offset - clockOffset) > 1500) clockOffset = offset;
}

const guard: Middleware = {
  onRequest({ request }) {
    request.headers.set('Accept-Language', document.documentElement.lang); // the language of its errors
    if (request.method !== 'GET' && csrf !== '') request.headers.set('X-Loa-Csrf', csrf);
    return request;
  },
  onResponse({ response }) {
    learnClock(response.headers.get('date'));
  },
  onError() {
    return new Failure(0, { code: 'offline', message: '' });
  }
};

// `globalThis.fetch` is looked up at each call so that tests can put their own in its place.
const api = createClient<paths>({ fetch: (request) => globalThis.fetch(request) });
api.use(guard);

type Answer<T> = { data?: T; error?: unknown; response: Response };

async function take<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw new Failure(response.status, withWait(asProblem(error, response.status), response.headers.get('retry-after')));
  return data as T;
}

/** Adds from when on another attempt makes sense, if the server said so. */
function withWait(problem: Problem, retryAfter: string | null): Problem {
  const seconds = Number(retryAfter ?? Number.NaN);
  return problem.code === 'wait' && Number.isFinite(seconds) ? { ...problem, until: serverNow() + seconds * 1000 } : problem;
}

type Untyped = { request: (method: string, path: string, init: object) => Promise<Answer<unknown>> };

/** A request by its method and path, for the other files of this folder; `T` is what the server's document says. */
export function ask<T>(method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string, body?: object, query?: object, signal?: AbortSignal): Promise<T> {
  return take((api as unknown as Untyped).request(method, path, { body, params: { query }, signal })) as Promise<T>;
}

/** Reads an error body; a proxy's HTML page or an empty body still becomes a problem with a code. */
export function asProblem(body: unknown, status: number): Problem {
  if (typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string') return body as Problem;
  return { code: `http_${status}`, message: `HTTP ${status}` };
}

/** Takes over a session that a request has begun or changed. */
export function keep(session: Session): Session {
  csrf = session.csrf;
  return session;
}

export const setUp = (body: Schemas['Setup']) => take(api.POST('/api/v1/setup', { body }));
export const signIn = async (username: string, password: string) =>
  keep(await take(api.POST('/api/v1/session', { body: { username, password } })));

/** Who is signed in, or null. */
export async function whoAmI(): Promise<Session | null> {
  try {
    return keep(await take(api.GET('/api/v1/session')));
  } catch (error) {
    if (error instanceof Failure && error.status === 401) return null;
    throw error;
  }
}

/** The second step: a code from the authenticator app, or a recovery code. */
export const showCode = async (code: string) => keep(await ask<Session>('post', '/api/v1/session/totp', { code }));

/** How else one can come in: the name of the OpenID Connect provider, if there is one. */
export const waysIn = () => ask<{ oidc?: { name: string } }>('get', '/api/v1/sign-in');

/** Ends the session. Whoever came in by single sign-on leaves its provider, too: gives the address where, if there is one. */
export async function signOut(): Promise<string | undefined> {
  const answer = await ask<{ provider_url: string } | undefined>('delete', '/api/v1/session');
  csrf = '';
  return answer?.provider_url;
}

export const approve = (id: string) => take(api.POST('/api/v1/bulletins/{id}/approve', { params: { path: { id } } }));
export const broadcastNow = (bulletin_id: string, target: Target) =>
  take(api.POST('/api/v1/broadcasts', { body: { bulletin_id, target } }));
export const stop = (id: string) => take(api.POST('/api/v1/broadcasts/{id}/stop', { params: { path: { id } } }));
export const receipts = (id: string) => take(api.GET('/api/v1/broadcasts/{id}/receipts', { params: { path: { id } } }));

/** Where a browser's player finds a bulletin's sound. */
export const audioAddress = (id: string) => `/api/v1/bulletins/${encodeURIComponent(id)}/audio`;

/** True when the server answers at all; asks its health page and waits at most `patience` milliseconds. */
export async function reachable(patience: number): Promise<boolean> {
  try {
    return (await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(patience) })).ok;
  } catch {
    return false;
  }
}

/** What a request that goes past `api` has to bring along. */
export const headersOf = () => ({ 'X-Loa-Csrf': csrf, 'Accept-Language': document.documentElement.lang });

export type NewBulletin = { title: string; class: Class; area: string; trim: boolean };

/** Sends a bulletin, its file first and in pieces; `onProgress` gets 0 to 1, `signal` ends it. */
export async function upload(file: File, { title, class: klass, area, trim }: NewBulletin, onProgress: (part: number) => void, signal: AbortSignal): Promise<Bulletin> {
  const { send } = await import('./pieces');
  const path = await send(file, onProgress, signal);
  try {
    return await ask<Bulletin>('post', `${path}/bulletin`, { title, class: klass, trim, ...(area === '' ? {} : { area_id: area }) });
  } catch (error) {
    // It is sent anew with the next attempt: by then it may be another file.
    await ask('delete', path).catch(() => undefined);
    throw error;
  }
}
