// The record: who did what, found again by who reads it.
import { expect, test } from '@playwright/test';
import { looks, section, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, letIn, menu, more, places, username } from './office';

const { office } = env;

test('what was done is in the record, with what it changed in words, found by who and what', async ({ page, browser }) => {
  const api = await Api.of(office);
  const { commune } = await places(api);
  const who = username('mai.lan');
  const { context } = await letIn(browser, await api.invite(who, 'Mai Thị Lan', [{ role: 'officer', area_id: commune }]));
  const id = (await api.call<{ id: string; username: string }[]>('get', '/api/v1/users')).find((one) => one.username === who)?.id ?? '';
  await api.call('patch', `/api/v1/users/${id}`, { grants: [{ role: 'approver', area_id: commune }] });
  await context.close();

  await goIn(page, office.user, office.password);
  await menu(page, vi.menuRecord).click();
  const record = section(page, vi.menuRecord);
  const entries = record.locator('article');
  await expect(entries.first()).toBeVisible();
  await bothSizes(page, (size) => looks(page, 'record', size));

  await record.getByLabel(more.who).fill(who);
  await record.getByLabel(more.what).selectOption('session.begin');
  await record.getByRole('button', { name: more.show, exact: true }).click();
  await expect(record.locator(`article:not([data-who="${who}"])`)).toHaveCount(0);
  await expect(entries.first()).toContainText(more.acts['session.begin'] ?? '-');

  await record.getByLabel(more.who).fill(office.user);
  await record.getByLabel(more.what).selectOption('user.grants');
  await record.getByRole('button', { name: more.show, exact: true }).click();
  await expect(record.locator('article:not([data-what="user.grants"])')).toHaveCount(0);
  await expect(entries.first()).toContainText('Soạn và phát bản tin đã duyệt tại Xã Tân An và các thôn');
  await expect(entries.first()).toContainText('Duyệt bản tin, phát khẩn cấp tại Xã Tân An và các thôn');
  await bothSizes(page, (size) => looks(page, 'record-filtered', size));

  await record.getByLabel(more.who).fill('khong.co.ai');
  await record.getByRole('button', { name: more.show, exact: true }).click();
  await expect(record.getByText(more.noEntries)).toBeVisible();
});

test('the record goes back page by page to its beginning', async ({ page }) => {
  await goIn(page, office.user, office.password);
  await page.goto(`${office.url}/record`);
  const record = section(page, vi.menuRecord);
  const older = record.getByRole('button', { name: more.older });
  await expect(record.locator('article').first()).toBeVisible();
  while (await older.isVisible()) {
    const before = await record.locator('article').count();
    await older.click();
    await expect.poll(() => record.locator('article').count()).toBeGreaterThan(before - 1);
    await expect(older.or(record.locator('article[data-what="setup.offer"]')).first()).toBeVisible();
    if ((await record.locator('article').count()) === before) break;
  }
  await expect(record.locator('article[data-what="setup.offer"]')).not.toHaveCount(0);
});
