// Without a network the console still opens, says that nothing reaches the server, and sends nothing: now or later.
import { expect, test } from '@playwright/test';
import { audit, signIn, vi } from './console';

test('the shell opens without a network, even at the emergency page, says so, and is live again when the network is', async ({ page, context }) => {
  await signIn(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload(); // the worker has the page from the next visit on
  await expect(page.getByRole('navigation', { name: vi.menu })).toBeVisible();
  const kept = await page.evaluate(async () => (await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).flat());
  expect(kept).toContain('/');
  expect(kept.filter((path) => path.startsWith('/api')), 'no answer of the server is kept').toEqual([]);

  await context.setOffline(true);
  for (const path of ['/', '/emergency']) {
    await page.goto(path);
    await expect(page.getByRole('heading', { name: vi.serverUnreachable })).toBeVisible();
    await expect(page.getByRole('button')).toHaveText([vi.tryAgain]);
  }
  await audit(page, 'offline');
  await page.screenshot({ path: 'test-results/screens/offline-laptop.png', fullPage: true });

  await context.setOffline(false);
  await page.getByRole('button', { name: vi.tryAgain }).click();
  await expect(page.locator('#alarm-title')).toBeVisible();
  await expect(page.getByRole('navigation', { name: vi.menu })).toBeVisible();
});
