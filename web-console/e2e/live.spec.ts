// Somebody speaks: recorded, listened to and made a bulletin; straight to the air until the receivers say that they played it, with a
// line that is lost and comes back; without a microphone; and another station, relayed.
import { expect, test, type Browser, type Page } from '@playwright/test';
import { vi as air } from '../src/lib/words/live/vi';
import { clicks, launchedWith, speaker } from './browser';
import { audit, bulletin, everyReceiver, looks, onAirBar, section, signIn, titled, vi } from './console';
import { env } from './env';
import { Api, bothSizes, menu } from './office';
import { station } from './station';

const voice = clicks('test-results/clicks/voice.wav', { lead: 500, count: 12, every: 740, tail: 0 });
test.use({ launchOptions: speaker(voice) });

const desk = (page: Page) => page.locator('[data-phase]');
/** What is said aloud; an empty one is only the place for it. */
const alert = (page: Page) => page.getByRole('alert').filter({ hasText: /\S/ });
const shot = (page: Page, what: string) => page.screenshot({ path: `test-results/screens/${what}.png`, fullPage: true });

/** As far as the review, in all places, without a chime. */
async function review(page: Page, title: string) {
  await page.getByRole('checkbox').first().check();
  await page.getByLabel(air.titleLabel).fill(title);
  await page.getByLabel(air.chime).uncheck();
  await page.getByRole('button', { name: air.toReview }).click();
  await expect(page.getByText(air.verdicts.good)).toBeVisible();
}

test('what is recorded is listened to, recorded again, and becomes a bulletin to broadcast', async ({ page }) => {
  await signIn(page);
  await page.getByRole('navigation', { name: vi.ways }).getByRole('link', { name: vi.menuLive }).click();
  await looks(page, 'record', 'laptop');
  const recorder = page.locator('[data-recorded]');
  const record = async () => {
    await expect(page.getByText(air.recording, { exact: true })).toBeVisible();
    await expect(page.getByText(air.verdicts.good)).toBeVisible();
    await expect.poll(async () => Number(await recorder.getAttribute('data-recorded'))).toBeGreaterThan(3_000);
  };
  await page.getByRole('button', { name: air.record, exact: true }).click();
  await record();
  await audit(page, 'recording');
  await shot(page, 'recording');
  await page.getByRole('button', { name: air.stopRecording }).click();
  await page.getByRole('button', { name: air.recordAgain }).click();
  await page.getByRole('group', { name: air.recordAgain }).getByRole('button', { name: air.recordAgain }).click();
  await record();
  await page.getByRole('button', { name: air.stopRecording }).click();
  const length = Number(await recorder.getAttribute('data-recorded'));
  await expect.poll(() => page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.duration * 1000)).toBeCloseTo(length, -2);
  await bothSizes(page, (size) => looks(page, 'recorded', size));

  const title = titled('Họp phụ huynh');
  await page.getByLabel(vi.title).fill(title);
  await page.getByRole('button', { name: air.makeBulletin }).click();
  await expect(page.getByRole('heading', { name: air.made(title) })).toBeFocused({ timeout: 60_000 });
  await page.getByRole('button', { name: vi.approveNamed(title) }).click();
  await expect(page.getByText(air.then)).toBeVisible();
  await looks(page, 'recorded-made', 'laptop');
  await page.getByRole('button', { name: air.thenAir }).click();
  await expect(section(page, vi.composeTitle).getByLabel(vi.chooseBulletin).locator('option:checked')).toContainText(title);
  await expect(bulletin(page, title)).toBeVisible();
});

test('straight to the air, heard by the receivers, until it is stopped', async ({ page }) => {
  await signIn(page);
  await menu(page, vi.menuLive).click();
  await page.getByRole('link', { name: air.wayAir }).click();
  await looks(page, 'air', 'laptop');
  const title = titled('Trực tiếp');
  await review(page, title);
  await bothSizes(page, (size) => looks(page, 'air-review', size));
  await page.getByRole('button', { name: air.goLive(everyReceiver) }).click();
  await expect(desk(page)).toHaveAttribute('data-phase', 'on_air');
  await expect(desk(page).getByText(air.standsOnAir)).toBeVisible();
  await expect(desk(page).getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible();
  await bothSizes(page, (size) => looks(page, 'on-air', size));

  // Held for a moment, and switched.
  await desk(page).focus();
  await page.keyboard.down(' ');
  await expect(desk(page).getByText(air.standsMuted)).toBeVisible();
  const since = Date.now();
  await expect.poll(() => Date.now() - since, 'held for longer than a press').toBeGreaterThan(450);
  await page.keyboard.up(' ');
  await expect(desk(page).getByText(air.standsOnAir)).toBeVisible();
  await page.getByRole('button', { name: air.mute, exact: true }).click();
  await expect(page.getByRole('button', { name: air.unmute })).toHaveAttribute('aria-pressed', 'true');
  await shot(page, 'on-air-muted');
  await page.getByRole('button', { name: air.unmute }).click();

  await desk(page).getByRole('button', { name: vi.stop, exact: true }).click();
  await expect(page.locator('[data-ending="here"]')).toBeVisible();
  await expect(page.getByText(vi.result(env.online, everyReceiver))).toBeVisible();
  await looks(page, 'air-over', 'laptop');
  const api = await Api.of(env);
  const all = await api.call<{ id: string; title: string }[]>('get', '/api/v1/broadcasts');
  const receipts = await api.call<{ outcome: string }[]>('get', `/api/v1/broadcasts/${all.find((one) => one.title === title)?.id}/receipts`);
  expect(receipts.filter(({ outcome }) => outcome === 'played')).toHaveLength(env.online);
});

test('whoever speaks is not interrupted: by a second one, by leaving, by a line that breaks; and is told when it was stopped elsewhere', async ({ page, context }) => {
  await signIn(page);
  await page.goto('/live/air');
  const title = titled('Trực tiếp nữa');
  await review(page, title);
  await page.getByRole('button', { name: air.goLive(everyReceiver) }).click();
  await expect(desk(page)).toHaveAttribute('data-phase', 'on_air');

  // Somebody else is told who speaks.
  const other = await context.newPage();
  await other.goto('/live/air');
  await review(other, title);
  await other.getByRole('button', { name: air.goLive(everyReceiver) }).click();
  await expect(alert(other)).toContainText(`${air.notLive}.`);
  await expect(alert(other)).toContainText('đang phát trực tiếp tại đây từ');
  await expect(alert(other), 'a time as people say it').not.toContainText(/\dT\d/);
  await audit(other, 'studio taken');
  await shot(other, 'air-taken');
  await other.close();

  // Leaving asks, here and by the browser itself.
  await menu(page, vi.menuHome).click();
  await expect(page.getByText(air.leaveHelp)).toBeVisible();
  await audit(page, 'leaving');
  await shot(page, 'on-air-leaving');
  await page.getByRole('button', { name: air.stay }).click();
  const asked = page.waitForEvent('dialog');
  await page.close({ runBeforeUnload: true });
  const dialog = await asked;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.dismiss();

  await context.setOffline(true);
  await expect(desk(page)).toHaveAttribute('data-phase', 'lost');
  await expect(desk(page).getByText(air.standsLost)).toBeVisible();
  await shot(page, 'on-air-lost');
  await context.setOffline(false);
  await expect(desk(page)).toHaveAttribute('data-phase', 'on_air');

  await onAirBar(page).getByRole('button', { name: vi.stopNamed(title) }).click();
  await expect(page.locator('[data-ending="stopped"]')).toBeVisible();
  await shot(page, 'air-stopped');
});

for (const { why, flags } of [
  { why: 'denied', flags: ['--use-fake-device-for-media-stream'] },
  { why: 'none', flags: ['--use-fake-ui-for-media-stream'] }
] as const)
  test(`without a microphone (${why}) the page says so, and what to do`, async ({ playwright }) => {
    const browser: Browser = await playwright.chromium.launch(launchedWith(...flags));
    const context = await browser.newContext({ baseURL: env.url, locale: 'vi-VN', timezoneId: 'Asia/Ho_Chi_Minh' });
    const page = await context.newPage();
    await signIn(page);
    await menu(page, vi.menuLive).click();
    await page.getByRole('button', { name: air.record, exact: true }).click();
    await expect(alert(page)).toContainText(air.troubles[why]);
    await looks(page, `microphone-${why}`, 'laptop');
    await page.getByRole('link', { name: air.wayAir }).click();
    await page.getByRole('checkbox').first().check();
    await page.getByRole('button', { name: air.toReview }).click();
    await expect(alert(page)).toContainText(air.troubles[why]);
    await expect(page.getByRole('button', { name: air.goLive(everyReceiver) })).toBeDisabled();
    await browser.close();
  });

test('another station is relayed; that it is gone and its fallback sounds is said, and it is stopped', async ({ page }) => {
  const radio = await station(env.mp3);
  try {
    await signIn(page);
    const [fallback, title] = [titled('Dự phòng'), titled('Đài tỉnh')];
    const api = await Api.of(env);
    const [area] = await api.call<{ id: string }[]>('get', '/api/v1/areas');
    await api.bulletin(fallback, voice, area!.id);
    await menu(page, vi.menuLive).click();
    await page.getByRole('link', { name: air.wayRelay, exact: true }).click();
    await page.getByLabel(air.stationName).fill(title);
    await page.getByLabel(air.station).fill('đài tỉnh');
    const tomorrow = new Date(Date.now() + 86_000_000).toLocaleString('sv', { timeZone: 'Asia/Ho_Chi_Minh' });
    await page.getByLabel(air.until, { exact: true }).fill(tomorrow.slice(0, 16).replace(' ', 'T'));
    await page.getByRole('checkbox').first().check();
    await page.getByLabel(air.fallback).selectOption({ label: await page.locator('option', { hasText: fallback }).innerText() });
    await page.getByRole('button', { name: air.relayNow, exact: true }).click();
    await expect(section(page, air.wayRelay).getByRole('alert')).toContainText(air.relayFailed);
    await looks(page, 'relay-refused', 'laptop');
    await page.getByLabel(air.station).fill(radio.url);
    await page.getByRole('button', { name: air.relayNow, exact: true }).click();
    const row = page.locator(`[data-relay="${title}"]`);
    await expect(row.getByText(air.relayGood)).toBeVisible();
    await expect(row.getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible();
    radio.on = false;
    await expect(row.getByText(air.relayBad)).toBeVisible();
    await looks(page, 'relay-fallback', 'laptop');
    radio.on = true;
    await expect(row.getByText(air.relayGood)).toBeVisible();
    await section(page, air.relays).getByRole('button', { name: vi.stopNamed(title) }).click();
    await expect(row).toHaveCount(0);
  } finally {
    radio.close();
  }
});
