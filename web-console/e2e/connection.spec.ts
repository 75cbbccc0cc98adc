// The console never pretends: when the server is not heard, it says so, and from when is what it still shows.
import { expect, test } from '@playwright/test';
import { sentence } from '../src/lib/words/errors';
import { approved, compose, everyReceiver, looks, onAirBar, play, section, signIn, titled, vi } from './console';
import { env } from './env';
import { Wire } from './wire';

const offline = sentence({ code: 'offline', message: '' }, 'vi');
/** The banner's words before its time of day. */
const lost = vi.connectionLost('').split('.')[0] ?? '';

let wire: Wire;
test.beforeEach(async () => {
  wire = await Wire.to(env.url);
});
test.afterEach(async () => {
  await wire.cut().catch(() => undefined); // a test may have left it cut
});

test('a server that is gone is said to be, counts are not claimed, and it is all there again when it is back', async ({ page }) => {
  const title = titled('Mất kết nối giữa chừng');
  await signIn(page, wire.url);
  await approved(page, title);
  await play(page, title);

  await wire.cut();
  const banner = page.getByRole('alert').filter({ hasText: lost });
  await expect(banner).toBeVisible();
  await expect(onAirBar(page)).toContainText(vi.reallyPlayingUnknown);
  await expect(onAirBar(page)).not.toContainText(vi.reallyPlaying(env.online, everyReceiver));
  await expect(section(page, vi.receivers).locator('tbody tr[data-state="unknown"]')).toHaveCount(everyReceiver);
  // In one language: the words of the other are loaded when they are chosen, and there is nobody to load them from.
  await page.screenshot({ path: 'test-results/screens/connection-lost-laptop.png', fullPage: true });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: 'test-results/screens/connection-lost-phone.png', fullPage: true });
  await page.setViewportSize({ width: 1366, height: 768 });

  // What is asked for meanwhile fails in place, and nothing is queued to happen later.
  await onAirBar(page).getByRole('button', { name: vi.stopNamed(title) }).click();
  await expect(onAirBar(page).getByRole('alert')).toContainText(offline);
  await compose(page, title);
  await page.getByRole('button', { name: vi.broadcastNow(everyReceiver) }).click();
  await expect(section(page, vi.composeTitle).getByRole('alert')).toContainText(offline);

  await wire.mend();
  await expect(banner).toHaveCount(0);
  await expect(section(page, vi.receivers).locator('tbody tr[data-state="unknown"]')).toHaveCount(0);
  const button = onAirBar(page).getByRole('button', { name: vi.stopNamed(title) });
  if ((await button.count()) > 0) await button.click();
  await expect(onAirBar(page)).toContainText(vi.nothingOnAir);
  await expect(page.locator(`article[data-broadcast="${title}"]`)).toHaveCount(1);
});

test('a server that falls silent without closing anything is noticed too', async ({ page }) => {
  await signIn(page, wire.url);
  wire.hush();
  const banner = page.getByRole('alert').filter({ hasText: lost });
  await expect(banner).toBeVisible({ timeout: 30_000 });
  wire.speak();
  await expect(banner).toHaveCount(0, { timeout: 30_000 });
});

test('a session that ended while the server was away asks to sign in again', async ({ page, context }) => {
  await signIn(page, wire.url);
  await context.clearCookies();
  await wire.cut();
  await wire.mend();
  await expect(page.getByText(vi.signedOutBecause)).toBeVisible();
  await looks(page, 'session-ended', 'laptop');
});

test('without a server the door says why it stays shut', async ({ page }) => {
  await page.goto(`${wire.url}/signin`);
  await page.getByLabel(vi.username).fill(env.user);
  await page.getByLabel(vi.password, { exact: true }).fill(env.password);
  await wire.cut();
  await page.getByRole('button', { name: vi.signIn }).click();
  await expect(page.getByRole('alert')).toHaveText(offline);
  await wire.mend();

  await page.route('**/api/v1/session', (route) => route.abort());
  await page.goto(`${wire.url}/`);
  await expect(page.getByRole('heading', { name: vi.serverUnreachable })).toBeVisible();
  await looks(page, 'unreachable', 'laptop');
  await page.unroute('**/api/v1/session');
  await page.getByRole('button', { name: vi.tryAgain }).click();
  await expect(page.getByRole('heading', { name: vi.signInTitle })).toBeVisible();
});
