// A server's first start: the one-time link makes the first administrator, once.
import { expect, test } from '@playwright/test';
import { looks, onAirBar, section, vi } from './console';
import { env } from './env';

const phone = { width: 390, height: 844 };
const laptop = { width: 1366, height: 768 };
const password = 'con trâu đi trước cái cày';

test('the first administrator is made by the one-time link, which works once', async ({ page }) => {
  await page.goto(env.setup.replace(/#.*/, ''));
  await expect(page.getByText(vi.setupNoToken)).toBeVisible();
  await looks(page, 'setup-without-token', 'laptop');

  await page.goto('about:blank'); // a changed fragment alone would not load the page anew
  await page.goto(env.setup);
  await expect(page.getByRole('heading', { name: vi.setupTitle })).toBeVisible();
  await looks(page, 'setup', 'laptop');
  await page.setViewportSize(phone);
  await looks(page, 'setup', 'phone');
  await page.setViewportSize(laptop);

  await page.getByLabel(vi.displayName).fill('Nguyễn Thị Lan');
  await page.getByLabel(vi.username).fill('nguyen.lan');
  await page.getByLabel(vi.password, { exact: true }).fill(password);
  await page.getByRole('button', { name: vi.createAdministrator }).click();

  await expect(page.getByText('Nguyễn Thị Lan')).toBeVisible();
  await expect(onAirBar(page)).toContainText(vi.nothingOnAir);
  await expect(page.getByText(vi.noBulletins)).toBeVisible();
  await expect(page.getByText(vi.noBroadcasts)).toBeVisible();
  await expect(section(page, vi.receivers).getByText(vi.noPlaces)).toBeVisible();
  await looks(page, 'empty', 'laptop');
  await page.setViewportSize(phone);
  await looks(page, 'empty', 'phone');

  await page.getByRole('button', { name: vi.signOut }).click();
  await expect(page.getByRole('heading', { name: vi.signInTitle })).toBeVisible();
  await page.goto('about:blank');
  await page.goto(env.setup);
  await page.getByLabel(vi.displayName).fill('Kẻ gian');
  await page.getByLabel(vi.username).fill('ke.gian');
  await page.getByLabel(vi.password, { exact: true }).fill(password);
  await page.getByRole('button', { name: vi.createAdministrator }).click();
  await expect(page.getByRole('alert')).not.toBeEmpty();
  await expect(page).toHaveURL(/\/setup/);
  await looks(page, 'setup-refused', 'phone');
});
