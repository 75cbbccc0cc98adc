// What the stories about people and receivers share: a server's API as its administrator calls it, places on the map, somebody
// who was let in by a link, and the code that an authenticator app would show.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, request, type APIRequestContext, type Browser, type BrowserContext, type Page } from '@playwright/test';
import { vi as more } from '../src/lib/words/more/vi';
import { vi } from './console';
import { env } from './env';

export { more };
export type Grant = { role: string; area_id?: string };

/** The base address of the office by name, since passkeys belong to names. */
export const named = env.office.url.replace('127.0.0.1', 'localhost');
export const password = 'trâu chậm uống nước đục nhà ai';

const phone = { width: 390, height: 844 };
const laptop = { width: 1366, height: 768 };

/** Does `look` at the size of a phone and of a laptop. */
export async function bothSizes(page: Page, look: (size: string) => Promise<void>) {
  for (const [size, viewport] of [['phone', phone], ['laptop', laptop]] as const) {
    await page.setViewportSize(viewport);
    await look(size);
  }
}

/** A server's API with its administrator's session. */
export class Api {
  private constructor(
    private readonly context: APIRequestContext,
    private readonly csrf: string
  ) {}

  static async of({ url, user, password }: { url: string; user: string; password: string }): Promise<Api> {
    const context = await request.newContext({ baseURL: url });
    const answer = await context.post('/api/v1/session', { data: { username: user, password } });
    expect(answer.status(), await answer.text()).toBe(200);
    return new Api(context, ((await answer.json()) as { csrf: string }).csrf);
  }

  async call<T>(method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string, data?: object): Promise<T> {
    const answer = await this.context[method](path, { data, headers: { 'X-Loa-Csrf': this.csrf } });
    expect(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`).toBe(true);
    return (answer.status() === 204 ? undefined : await answer.json()) as T;
  }

  /** The area of that name, made if there is none. */
  async area(name: string, kind: string, parent_id?: string): Promise<string> {
    const there = (await this.call<{ id: string; name: string }[]>('get', '/api/v1/areas')).find((one) => one.name === name);
    return there?.id ?? (await this.call<{ id: string }>('post', '/api/v1/areas', { name, kind, parent_id })).id;
  }

  /** The receiver of that name, enrolled if there is none. */
  async receiver(name: string, area_id: string): Promise<string> {
    const there = (await this.call<{ id: string; name: string }[]>('get', '/api/v1/receivers')).find((one) => one.name === name);
    return there?.id ?? (await this.call<{ receiver: { id: string } }>('post', '/api/v1/receivers', { name, area_id, host: '127.0.0.1' })).receiver.id;
  }

  /** A bulletin of that title in an area, uploaded and approved. */
  async bulletin(title: string, mp3: string, area_id: string): Promise<string> {
    const multipart = { title, class: 'normal', area_id, file: { name: 'bulletin.mp3', mimeType: 'audio/mpeg', buffer: readFileSync(mp3) } };
    const answer = await this.context.post('/api/v1/bulletins', { multipart, headers: { 'X-Loa-Csrf': this.csrf } });
    expect(answer.status(), await answer.text()).toBe(201);
    const { id } = (await answer.json()) as { id: string };
    await this.call('post', `/api/v1/bulletins/${id}/approve`);
    return id;
  }

  async invite(username: string, display_name: string, grants: Grant[]): Promise<string> {
    return (await this.call<{ link: string }>('post', '/api/v1/users', { username, display_name, grants })).link;
  }
}

/** Two communes of a province, one with two villages; a receiver in each commune. */
export async function places(api: Api) {
  const province = await api.area('Tỉnh Bắc Ninh', 'province');
  const commune = await api.area('Xã Tân An', 'commune', province);
  const village = await api.area('Thôn Đông', 'village', commune);
  await api.area('Thôn Tây', 'village', commune);
  const other = await api.area('Xã Phù Lãng', 'commune', province);
  await api.receiver('Đình làng Đông', village);
  await api.receiver('Chợ Phù Lãng', other);
  return { province, commune, village, other };
}

/** A user name that no earlier run on the same server took. */
export const username = (who: string): string => `${who}.${Date.now().toString(36)}`;

/** Opens a link in a browser of its own and chooses the password there; they are in when it is done. */
export async function letIn(browser: Browser, link: string, base = env.office.url): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext({ baseURL: base });
  const page = await context.newPage();
  await page.goto(link.replace(/^https?:\/\/[^/]+/, base));
  await page.getByLabel(more.newPassword).fill(password);
  await page.getByRole('button', { name: more.setPassword }).click();
  await expect(page.getByRole('navigation', { name: vi.menu })).toBeVisible();
  return { page, context };
}

/** Name and password at the door; what comes then differs. */
export async function knock(page: Page, username: string, secret = password, base = env.office.url) {
  await page.goto(`${base}/signin`);
  await page.getByLabel(vi.username).fill(username);
  await page.getByLabel(vi.password, { exact: true }).fill(secret);
  await page.getByRole('button', { name: vi.signIn, exact: true }).click();
}

export async function goIn(page: Page, username: string, secret = password, base = env.office.url) {
  await knock(page, username, secret, base);
  await expect(page.getByRole('navigation', { name: vi.menu })).toBeVisible();
}

export const menu = (page: Page, name: string) => page.getByRole('navigation', { name: vi.menu }).getByRole('link', { name });

/** An authenticator app: RFC 6238 with SHA-1, six digits, steps of 30 seconds. */
export class Authenticator {
  readonly #key: Buffer;
  #last = 0;

  constructor(secret: string) {
    const bits = [...secret.replace(/[\s=]/g, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
    this.#key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  }

  /** A code that was not given before. A server takes each once and one step ahead: when that is used up, time must pass. */
  async code(): Promise<string> {
    const step = Math.max(this.#last + 1, Math.floor(Date.now() / 30_000));
    await expect.poll(() => Math.floor(Date.now() / 30_000) + 1, { timeout: 65_000, message: 'the next code' }).toBeGreaterThanOrEqual(step);
    this.#last = step;
    return this.#at(step);
  }

  #at(step: number): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const hash = createHmac('sha1', this.#key).update(counter).digest();
    const offset = (hash.at(-1) ?? 0) & 15;
    return String((hash.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
  }
}

/** Sets up an authenticator app on the account page, from the secret shown there; gives it and the recovery codes. */
export async function setUpTotp(page: Page): Promise<{ app: Authenticator; codes: string[] }> {
  await page.getByRole('button', { name: more.addTotp }).click();
  const app = new Authenticator((await page.locator('[data-secret]').getAttribute('data-secret')) ?? '');
  await page.getByLabel(vi.code).fill(await app.code());
  await page.getByRole('button', { name: more.confirmTotp }).click();
  const once = page.getByRole('region', { name: more.recoveryTitle });
  const codes = (await once.locator('pre').innerText()).trim().split(/\s+/);
  return { app, codes };
}
