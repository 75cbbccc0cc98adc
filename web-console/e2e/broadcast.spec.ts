// The main job: an officer's MP3 is uploaded, approved, broadcast, and heard; the receivers themselves say so.
import { expect, test } from '@playwright/test';
import { approved, broadcast, bulletin, compose, everyReceiver, looks, onAirBar, openUpload, play, section, signIn, stopPlaying, titled, vi } from './console';
import { env } from './env';
import { Api, goIn, letIn, more, setUpTotp, username } from './office';

test('an MP3 is uploaded, heard, approved and broadcast to its end; every receiver accounts for it', async ({ page }, { project }) => {
  const title = titled('Tiêm chủng mở rộng');
  await signIn(page);
  await approved(page, title);

  await bulletin(page, title).getByRole('button', { name: vi.listenNamed(title) }).click();
  const sound = bulletin(page, title).locator('audio');
  await expect.poll(() => sound.evaluate((audio: HTMLAudioElement) => audio.currentTime), 'the browser plays it').toBeGreaterThan(0.2);
  await bulletin(page, title).getByRole('button', { name: vi.listenNamed(title) }).click();
  await expect(sound).toHaveCount(0);

  await compose(page, title);
  await expect(section(page, vi.composeTitle).getByText(vi.offlineWarning(env.silent))).toBeVisible();
  await looks(page, 'composed', project.name);

  await page.getByRole('button', { name: vi.broadcastNow(everyReceiver) }).click();
  await expect(onAirBar(page).getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible({ timeout: 30_000 });
  const receivers = section(page, vi.receivers);
  await receivers.getByRole('radio', { name: `${vi.playing} ${env.online}` }).check();
  await expect(receivers.locator('tbody tr')).toHaveCount(env.online);
  await looks(page, 'on-air', project.name);
  await expect(onAirBar(page).getByRole('progressbar', { name: vi.progress(title) }), 'the MP3 is long enough to be looked at').toBeVisible();

  const mine = broadcast(page, title);
  await expect(mine).toHaveAttribute('data-state', 'done', { timeout: 120_000 });
  await expect(onAirBar(page)).toContainText(vi.nothingOnAir);
  await expect(mine.getByText(vi.result(env.online, everyReceiver))).toBeVisible();
  await mine.getByText(vi.showReceipts).click();
  await expect(mine.locator('tr[data-outcome="played"]')).toHaveCount(env.online);
  await looks(page, 'receipts', project.name);

  await receivers.getByRole('radio', { name: `${vi.offline} ${env.silent}` }).check();
  await expect(receivers.locator('tbody tr[data-state="offline"]')).toHaveCount(env.silent);
});

test('a broadcast is stopped, and the receivers fall silent', async ({ page }) => {
  const title = titled('Dừng giữa chừng');
  await signIn(page);
  await approved(page, title);
  await play(page, title);
  await stopPlaying(page, title);
  await expect(section(page, vi.receivers).getByRole('radio', { name: `${vi.playing} 0` })).toBeAttached();
  const mine = broadcast(page, title);
  await mine.getByText(vi.showReceipts).click();
  // Each that played says how much of it: some, and not all.
  await expect(mine.locator('tr[data-outcome="stopped"]')).toHaveCount(env.online);
});

test('what is not approved cannot be chosen, and nothing is broadcast nowhere', async ({ page }) => {
  const title = titled('Chưa ai duyệt');
  await signIn(page);
  await openUpload(page);
  await page.getByLabel(vi.file).setInputFiles(env.mp3);
  await page.getByLabel(vi.title).fill(title);
  await page.getByRole('button', { name: vi.upload, exact: true }).click();
  await expect(bulletin(page, title).getByText(vi.draft)).toBeVisible({ timeout: 60_000 });
  const form = section(page, vi.composeTitle);
  await expect(form.locator('option', { hasText: title })).toHaveCount(0);
  await expect(form.getByText(vi.chooseBulletinFirst)).toBeVisible();
  await expect(form.getByRole('button', { name: vi.broadcastNowIdle })).toBeDisabled();
});

test('an emergency takes a second step, is asked for twice, and changing the act takes the first back', async ({ page, browser }, { project }) => {
  const title = titled('Nước lũ về');
  await signIn(page);
  await openUpload(page);
  await page.getByLabel(vi.file).setInputFiles(env.mp3);
  await page.getByLabel(vi.title).fill(title);
  await page.getByLabel(vi.class).selectOption('emergency');
  await page.getByRole('button', { name: vi.upload, exact: true }).click();
  await expect(bulletin(page, title).getByText(vi.draft)).toBeVisible({ timeout: 60_000 });
  await page.close();

  // Somebody who may, with a password alone so far, signed in on two machines.
  const who = username('chi.huy');
  const link = await (await Api.of(env)).invite(who, 'Bùi Thị Chỉ Huy', [{ role: 'approver' }]);
  const { page: office, context } = await letIn(browser, link, env.url);
  const elsewhere = await browser.newContext({ viewport: project.name === 'phone' ? { width: 390, height: 844 } : { width: 1366, height: 768 } });
  const their = await elsewhere.newPage();
  await goIn(their, who, undefined, env.url);

  await office.getByRole('button', { name: vi.approveNamed(title) }).click();
  await expect(bulletin(office, title).getByText(vi.emergencySetUp)).toBeVisible();
  await looks(office, 'emergency-set-up', 'laptop');
  await bulletin(office, title).getByRole('link', { name: vi.emergencySetUpLink }).click();
  const { app } = await setUpTotp(office);
  await looks(office, 'emergency-set-up-done', 'laptop');
  await office.getByRole('link', { name: more.backToBroadcast }).click();
  await office.getByRole('button', { name: vi.approveNamed(title) }).click();
  await expect(bulletin(office, title).getByText(vi.approved)).toBeVisible();

  // The other machine's session knows of no second step: it is asked for where the act is, and what was chosen stays.
  const form = section(their, vi.composeTitle);
  await compose(their, title);
  await their.getByRole('button', { name: vi.broadcastNow(everyReceiver) }).click();
  const sure = their.getByRole('button', { name: vi.emergencyNow(everyReceiver) });
  await expect(sure).toBeVisible();
  await expect(their.getByText(vi.emergencyConfirm)).toBeVisible();
  await looks(their, 'emergency', project.name);
  await form.getByRole('checkbox').first().uncheck();
  await form.getByRole('checkbox').first().check();
  await expect(sure).toHaveCount(0);
  await expect(broadcast(their, title)).toHaveCount(0);
  await their.getByRole('button', { name: vi.broadcastNow(everyReceiver) }).click();
  await sure.click();
  await expect(form.getByText(vi.emergencySecond)).toBeVisible();
  await looks(their, 'emergency-second', project.name);
  await form.getByLabel(vi.code).fill(await app.code());
  await form.getByRole('button', { name: vi.continue }).click();
  await expect(form.getByText(vi.emergencyReady)).toBeVisible();
  await sure.click();
  await expect(onAirBar(their).getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible({ timeout: 30_000 });
  await stopPlaying(their, title);
  await Promise.all([context.close(), elsewhere.close()]);
});
