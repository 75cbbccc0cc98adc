// The technician's receivers: put on the map where they stand, found by what is known of them, and how a simulated one was.
import { expect, test } from '@playwright/test';
import { vi as fleet } from '../src/lib/words/fleet/vi';
import { looks, section, signIn, vi } from './console';
import { env } from './env';
import { Api, bothSizes, menu } from './office';

type One = { id: string; name: string; online: boolean };

test('a receiver is put on the map, found there and in the list, and tells how it was', async ({ page, context }) => {
  const api = await Api.of(env);
  await signIn(page);
  const all = await api.call<One[]>('get', '/api/v1/receivers');
  const running = all.find(({ online }) => online);
  const silent = all.find(({ online }) => !online);
  if (running === undefined || silent === undefined) throw new Error('a receiver that runs and one that does not');
  await menu(page, vi.menuReceivers).click();
  const card = section(page, vi.receivers);
  const entry = (name: string) => card.locator(`[data-entry="${name}"]`);
  await expect(entry(silent.name)).toHaveAttribute('data-condition', 'offline');
  await bothSizes(page, (size) => looks(page, 'receivers-list', size));

  // On the map: by a tap, and by the position of the phone on the ladder.
  await card.getByRole('button', { name: fleet.map }).click();
  const map = page.getByRole('region', { name: fleet.mapLabel });
  await card.getByRole('button', { name: fleet.putNamed(silent.name) }).click();
  const form = page.getByRole('form', { name: fleet.putNamed(silent.name) });
  await map.click({ position: { x: 150, y: 140 } });
  await expect(form.getByLabel(fleet.coordinates)).toHaveValue(/^\d+\.\d{5}, \d+\.\d{5}$/);
  await form.getByRole('button', { name: fleet.savePlace }).click();
  await expect(card.getByText(fleet.placeSaved(silent.name))).toBeVisible();
  await expect(map.getByRole('link', { name: `${silent.name}: ${fleet.filters.offline}` })).toBeVisible();

  await context.grantPermissions(['geolocation']);
  await context.setGeolocation({ latitude: 21.12345, longitude: 106.05432, accuracy: 8 });
  await card.getByRole('button', { name: fleet.putNamed(running.name) }).click();
  await page.getByRole('button', { name: fleet.mine }).click();
  await expect(page.getByLabel(fleet.coordinates)).toHaveValue('21.12345, 106.05432');
  await bothSizes(page, (size) => looks(page, 'receivers-map-put', size));
  await page.getByRole('button', { name: fleet.savePlace }).click();
  const pin = map.getByRole('link', { name: running.name });
  await expect(pin).toBeVisible();
  const kept = (await api.call<(One & { latitude?: number; longitude?: number })[]>('get', '/api/v1/receivers')).find(({ id }) => id === running.id);
  expect([kept?.latitude, kept?.longitude]).toEqual([21.12345, 106.05432]);
  await bothSizes(page, (size) => looks(page, 'receivers-map', size));

  // Filtered, by state and by words without marks, map and list show the same.
  await card.getByRole('radio', { name: new RegExp(`^${fleet.filters.offline}`) }).check();
  await expect(pin).toHaveCount(0);
  await card.getByRole('button', { name: fleet.list }).click();
  await expect(entry(running.name)).toHaveCount(0);
  await card.getByRole('radio', { name: new RegExp(`^${fleet.filters.all}`) }).check();
  await card.getByLabel(vi.findReceiver).fill(running.name.normalize('NFD').replace(/\p{M}/gu, ''));
  await expect(entry(running.name)).toBeVisible();
  await expect(entry(silent.name)).toHaveCount(0);

  await entry(running.name).getByRole('link').click();
  await expect(page.getByRole('heading', { name: running.name })).toBeVisible();
  const history = section(page, fleet.history);
  await expect(history.getByText(fleet.summary('100', 0, 0))).toBeVisible();
  await expect(history.getByRole('img')).toHaveCount(4);
  await page.getByLabel(vi.volume).fill('65');
  await page.getByRole('button', { name: fleet.setVolume }).click();
  await expect(page.getByText(fleet.volumeSet(65))).toBeVisible();
  await bothSizes(page, (size) => looks(page, 'receiver', size));
  await page.getByLabel(vi.volume).fill('80');
  await page.getByRole('button', { name: fleet.setVolume }).click();
  await expect(page.getByText(fleet.volumeSet(80))).toBeVisible();
});
