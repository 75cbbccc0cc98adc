// What several specs do with the console: sign in, upload, broadcast, and look at a screen in every appearance.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Locator, type Page } from '@playwright/test';
import { en } from '../src/lib/words/en';
import { vi } from '../src/lib/words/vi';
import { env } from './env';

export { vi };

/** A title that no earlier run on the same server gave: by the time of day. */
export const titled = (what: string): string => `${what} ${new Date().toLocaleTimeString('vi-VN', { timeZone: 'Asia/Ho_Chi_Minh' })}`;

export const onAirBar = (page: Page): Locator => page.getByRole('region', { name: vi.onAir, exact: true });
export const section = (page: Page, title: string): Locator => page.getByRole('region', { name: title, exact: true });
export const bulletin = (page: Page, title: string): Locator => page.locator(`[data-bulletin="${title}"]`);
export const broadcast = (page: Page, title: string): Locator => page.locator(`article[data-broadcast="${title}"]`);
/** All receivers there are, as the root area counts them. */
export const everyReceiver = env.online + env.silent;

/** Signs in and waits until the console has the whole state and all receivers are there that should be. */
export async function signIn(page: Page, base = '') {
  await page.goto(`${base}/`);
  await expect(page.getByRole('heading', { name: vi.signInTitle })).toBeVisible();
  await page.getByLabel(vi.username).fill(env.user);
  await page.getByLabel(vi.password, { exact: true }).fill(env.password);
  await page.getByRole('button', { name: vi.signIn }).click();
  await expect(page.getByText(vi.onlineCount(env.online, everyReceiver)).first()).toBeVisible({ timeout: 60_000 });
}

/** Opens the upload form if it is closed. */
export async function openUpload(page: Page) {
  const summary = page.locator('summary', { hasText: vi.uploadTitle });
  // What it opens comes a moment later: whether it is open is not told by what is in sight.
  if (!(await summary.evaluate((it) => it.closest('details')?.open))) await summary.click();
  await expect(page.getByLabel(vi.title)).toBeVisible();
}

/** Uploads the MP3 as a bulletin of this title and approves it. */
export async function approved(page: Page, title: string) {
  await openUpload(page);
  await page.getByLabel(vi.file).setInputFiles(env.mp3);
  await page.getByLabel(vi.title).fill(title);
  await page.getByRole('button', { name: vi.upload, exact: true }).click();
  await expect(page.getByText(vi.uploaded(title))).toBeVisible({ timeout: 60_000 });
  await expect(bulletin(page, title).getByText(vi.draft)).toBeVisible();
  await page.getByRole('button', { name: vi.approveNamed(title) }).click();
  await expect(bulletin(page, title).getByText(vi.approved)).toBeVisible();
}

/** Chooses the bulletin and the first area, which is the root and has all receivers. */
export async function compose(page: Page, title: string) {
  const form = section(page, vi.composeTitle);
  const value = await form.locator('option', { hasText: title }).getAttribute('value');
  await form.getByLabel(vi.chooseBulletin).selectOption(value);
  await form.getByRole('checkbox').first().check();
}

/** Broadcasts the bulletin everywhere and waits until the receivers themselves say that they play. */
export async function play(page: Page, title: string) {
  await compose(page, title);
  await page.getByRole('button', { name: vi.broadcastNow(everyReceiver) }).click();
  await expect(onAirBar(page).getByText(title).first()).toBeVisible();
  await expect(onAirBar(page).getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible({ timeout: 30_000 });
}

export async function stopPlaying(page: Page, title: string) {
  await onAirBar(page).getByRole('button', { name: vi.stopNamed(title) }).click();
  await expect(broadcast(page, title)).toHaveAttribute('data-state', 'stopped');
  await expect(onAirBar(page).getByText(title)).toHaveCount(0);
}

/** Everything axe knows, on what is on the screen now. */
export async function audit(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html }) => html).join('\n  ')}`);
  expect(found, `axe on ${what}`).toEqual([]);
}

/** Nothing is wider than the screen: no sideways scrolling. */
export async function fits(page: Page, what: string) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(content, `${what} is wider than the screen`).toBeLessThanOrEqual(screen ?? 0);
}

/**
 * The screen as it is now, in both languages and both themes: a screenshot of each; axe on both languages and both themes, of the
 * four pairs the two that have all. Vietnamese again at the end.
 */
export async function looks(page: Page, screen: string, size: string) {
  const choose = async (language: string, theme: string) => {
    await page.getByLabel(new RegExp(`^(${vi.language}|${en.language})$`)).selectOption(language);
    await page.getByLabel(new RegExp(`^(${vi.theme}|${en.theme})$`)).selectOption(theme);
    await expect(page.locator('html')).toHaveAttribute('lang', language);
  };
  for (const language of ['en', 'vi'])
    for (const theme of ['dark', 'light']) {
      await choose(language, theme);
      const what = `${screen}-${size}-${language}-${theme}`;
      await fits(page, what);
      await page.evaluate(() => scrollTo(0, 0)); // the bar sticks to where one has scrolled, also in a picture of the whole page
      await page.screenshot({ path: `test-results/screens/${what}.png`, fullPage: true, animations: 'disabled', scale: 'css' });
      if ((language === 'en') === (theme === 'dark')) await audit(page, what);
    }
}
