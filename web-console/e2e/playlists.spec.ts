// An officer puts a playlist together: parts dragged and moved by buttons, the total always there; it gets ready by itself, is heard,
// taken to be broadcast, and deleted.
import { expect, test, type Locator, type Page } from '@playwright/test';
import { approved, looks, section, signIn, titled, vi } from './console';
import { bothSizes, menu, more } from './office';

const order = (form: Locator) => form.locator('li[data-part]').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-part')));

/** The dragging hand: from the handle of one row to the middle of another. */
async function drag(page: Page, form: Locator, from: string, to: string) {
  const middle = async (row: Locator) => {
    await row.scrollIntoViewIfNeeded();
    const box = (await row.boundingBox())!;
    return [box.x + box.width / 2, box.y + box.height / 2] as const;
  };
  await form.locator(`li[data-part="${from}"] .handle`).first().hover();
  await page.mouse.down();
  await page.mouse.move(...(await middle(form.locator(`li[data-part="${to}"]`).first())), { steps: 5 });
  await page.mouse.up();
}

test('a playlist is put together, gets ready, is heard and deleted', async ({ page }) => {
  await signIn(page);
  const [one, two] = [titled('Bài một'), titled('Bài hai')];
  const name = titled('Ca nhạc chiều');
  for (const title of [one, two]) await approved(page, title);
  await menu(page, vi.menuPlaylists).click();
  await page.getByRole('button', { name: more.playlistNew }).click();
  const form = page.getByRole('form', { name: more.playlistNew });
  await form.getByLabel(more.playlistTitle).fill(name);
  await form.getByLabel(vi.area, { exact: true }).selectOption({ index: 1 });
  for (const title of [one, two, one]) await form.getByRole('button', { name: more.playlistAddNamed(title) }).click();
  const total = form.locator('[data-total]');
  const before = Number(await total.getAttribute('data-total'));
  await form.getByLabel(more.playlistGap).fill('2.5');
  // Two gaps, each a second and a half longer than they were.
  await expect(total).toHaveAttribute('data-total', String(before + 3000));

  await form.getByRole('button', { name: more.playlistUp(two) }).press('Enter');
  expect(await order(form)).toEqual([two, one, one]);
  await expect(form.getByRole('button', { name: more.playlistDown(two) }), 'at the top only down is left').toBeFocused();
  await drag(page, form, two, one);
  expect(await order(form)).toEqual([one, two, one]);
  await form.getByRole('button', { name: more.removeNamed(one) }).last().click();
  expect(await order(form)).toEqual([one, two]);
  await form.getByLabel(more.playlistFadeOut).fill('1');
  await bothSizes(page, (size) => looks(page, 'playlist-form', size));
  await form.getByRole('button', { name: more.playlistSave }).click();

  const row = page.locator(`article[data-playlist="${name}"]`);
  await expect(row.getByText(more.playlistStates.ready)).toBeVisible({ timeout: 60_000 });
  await row.getByRole('button', { name: more.playlistListen(name, 0) }).click();
  await expect.poll(() => row.locator('audio').evaluate((audio: HTMLAudioElement) => audio.duration)).toBeGreaterThan(60);
  await bothSizes(page, (size) => looks(page, 'playlists', size));

  await row.getByRole('button', { name: more.playlistAirNamed(name) }).click();
  const compose = section(page, vi.composeTitle);
  await expect(compose.getByLabel(vi.chooseBulletin).locator('option:checked')).toContainText(name);
  await menu(page, vi.menuPlaylists).click();
  await row.getByRole('button', { name: more.removeNamed(name) }).click();
  await row.getByRole('button', { name: more.playlistRemove }).click();
  await expect(row).toHaveCount(0);
});
