// Communes are renamed, merged and split, and found by what they were called.
import { expect, test } from '@playwright/test';
import { vi as fleet } from '../src/lib/words/fleet/vi';
import { fits, looks, titled, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, menu, more } from './office';

test('two communes become one, a village moves, and the old name and code are still found', async ({ page }) => {
  const api = await Api.of(env.office);
  const [one, two, whole, village] = [titled('Xã Đông Hồ'), titled('Xã Tân Hoà'), titled('Phường Đông Tân'), titled('Thôn Bến')];
  const code = `c${Date.now() % 1_000_000}`;
  const province = await api.area(titled('Tỉnh Mới'), 'province');
  const first = await api.area(one, 'commune', province);
  await api.area(two, 'commune', province);
  await api.area(village, 'village', first);
  await goIn(page, env.office.user, env.office.password, env.office.url);
  await menu(page, vi.menuAreas).click();
  const row = (name: string) => page.locator(`[data-area="${name}"]`);

  // Another name and code: the old one stays in sight.
  const renamed = `${one} mới`;
  await row(one).getByRole('button', { name: more.changeNamed(one) }).click();
  const form = page.getByRole('form', { name: more.changeNamed(one) });
  await form.getByLabel(fleet.areaName, { exact: true }).fill(renamed);
  await form.getByLabel(fleet.areaCode).fill(code);
  await form.getByRole('button', { name: more.save }).click();
  await expect(page.getByRole('status').filter({ hasText: fleet.areaKept(renamed) })).toBeVisible();
  await expect(row(renamed)).toContainText(one);

  for (const name of [renamed, two]) await row(name).getByRole('checkbox', { name: fleet.areaPick(name) }).check();
  await page.getByRole('button', { name: fleet.areaMergeNow(2) }).click();
  const merge = page.getByRole('form', { name: fleet.areaMerge });
  await merge.getByLabel(fleet.areaName, { exact: true }).fill(whole);
  await merge.getByLabel(fleet.areaKind).selectOption('ward');
  await bothSizes(page, async (size) => {
    await looks(page, 'areas', size);
    await fits(page, `areas on a ${size}`);
  });
  await merge.getByRole('button', { name: fleet.areaMergeNow(2) }).click();
  await expect(row(whole)).toBeVisible();
  await expect(row(renamed)).toContainText(fleet.areaKinds.former ?? '');

  await row(village).getByRole('button', { name: more.changeNamed(village) }).click();
  const move = page.getByRole('form', { name: more.changeNamed(village) });
  await move.getByLabel(fleet.areaParent).selectOption({ label: `${'\u2003'.repeat(2)}${two}` });
  await move.getByRole('button', { name: more.save }).click();
  await expect(page.getByRole('status').filter({ hasText: fleet.areaKept(village) })).toBeVisible();
  await page.getByLabel(more.find).fill(one.replace('Đông Hồ', 'dong ho'));
  await expect(row(renamed)).toBeVisible();
  await expect(row(two)).toHaveCount(0);
});
