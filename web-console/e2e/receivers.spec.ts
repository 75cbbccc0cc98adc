// Looking after receivers: changed, given another secret, shut out, and nothing offered to who may not.
import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { looks, section, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, menu, more, places } from './office';

const { office } = env;
const receiver = (page: Page, name: string) => page.locator(`article[data-receiver="${name}"]`);

async function open(page: Page) {
  await goIn(page, office.user, office.password);
  await menu(page, vi.menuReceivers).click();
  await expect(page.getByRole('heading', { name: more.claims })).toBeVisible();
}

test.beforeAll(async () => void (await places(await Api.of(office))));

test('a receiver is enrolled by a file, renamed, moved, enrolled again, and revoked by an act that is asked for twice', async ({ page }) => {
  const name = `Cột điện số ${Date.now() % 100_000}`;
  const renamed = `${name}, cổng chùa`;
  await open(page);
  await page.getByText(more.enrolByFile).click();
  const form = section(page, vi.receivers);
  await form.getByLabel(more.receiverName).fill(name);
  await form.getByLabel(vi.area, { exact: true }).selectOption({ label: '\u2003Xã Phù Lãng' });
  await form.getByRole('button', { name: more.makeFile }).click();
  await expect(page.getByRole('region', { name: more.enrolmentTitle(name) })).toBeVisible();
  await bothSizes(page, (size) => looks(page, 'enrolment', size));
  const first = await download(page, name);
  await page.getByRole('button', { name: more.keptIt }).click();

  // Its own page has what can be done to it.
  await section(page, vi.receivers).getByLabel(vi.findReceiver).fill(name);
  await section(page, vi.receivers).getByRole('link', { name, exact: true }).click();
  const mine = receiver(page, name);
  await mine.getByRole('button', { name: more.changeNamed(name) }).click();
  await bothSizes(page, (size) => looks(page, 'receiver-change', size));
  await mine.getByLabel(more.receiverName).fill(renamed);
  await mine.getByLabel(vi.area, { exact: true }).selectOption({ label: '\u2003\u2003Thôn Tây' });
  await mine.getByRole('button', { name: more.save }).click();
  const moved = receiver(page, renamed);
  await expect(moved).toContainText('Thôn Tây');

  await moved.getByRole('button', { name: more.reenrolNamed(renamed) }).click();
  await expect(moved.getByText(more.reenrolSure(renamed))).toBeVisible();
  await moved.getByRole('button', { name: more.makeFile }).click();
  const second = await download(page, renamed);
  expect(second.equals(first), 'another secret').toBe(false);
  await page.getByRole('button', { name: more.keptIt }).click();

  await moved.getByRole('button', { name: more.revokeNamed(renamed) }).click();
  await expect(moved.getByRole('button', { name: vi.cancel }), 'the harmless one has the focus').toBeFocused();
  await bothSizes(page, (size) => looks(page, 'revoke-asked', size));
  await expect(moved.getByText(more.revoked)).toHaveCount(0);
  await moved.getByRole('button', { name: more.revokeNow(renamed) }).click();
  await expect(moved.getByText(more.revoked)).toBeVisible();
  await expect(moved.getByRole('button', { name: more.changeNamed(renamed) })).toHaveCount(0);
  await bothSizes(page, (size) => looks(page, 'receivers', size));
});

test('a code that is none, or that no receiver shows, is told apart', async ({ page }) => {
  await open(page);
  const claims = section(page, more.claims);
  await claims.getByLabel(more.claimCode).fill('không phải mã');
  await claims.getByRole('button', { name: more.find }).click();
  await expect(claims.getByRole('alert')).toHaveText(more.noClaimCode);
  await claims.getByLabel(more.claimCode).fill('7k3m 9xpt abcd 0123');
  await claims.getByRole('button', { name: more.find }).click();
  await expect(claims.getByRole('alert')).toHaveText(more.claimUnknown);
  await looks(page, 'claim-unknown', 'laptop');
});

async function download(page: Page, name: string): Promise<Buffer> {
  const file = page.waitForEvent('download');
  await page.getByRole('region', { name: more.enrolmentTitle(name) }).getByRole('link', { name: more.download }).click();
  const bytes = readFileSync(await (await file).path());
  expect(bytes.subarray(0, 3).toString('latin1'), 'an enrolment begins so').toBe('LOA');
  return bytes;
}
