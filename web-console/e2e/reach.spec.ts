// Everybody reaches everything: the smallest screens, text at twice its size, a thumb, a keyboard.
import { expect, test } from '@playwright/test';
import { approved, everyReceiver, fits, onAirBar, section, signIn, titled, vi } from './console';
import { env } from './env';

// What the worker fetches ahead would not be counted in what the first visit costs.
test.use({ serviceWorkers: 'block' });

/** WCAG 2.2's reflow: 320 pixels wide; and a laptop at 200 %, which has half the pixels. */
const screens = [
  { what: 'at 320 pixels', width: 320, height: 568 },
  { what: 'at 200 %', width: 683, height: 384 }
];

for (const { what, ...viewport } of screens)
  test(`${what} nothing is cut off and everything is large enough to hit`, async ({ page }) => {
    await page.setViewportSize(viewport);
    await signIn(page);
    for (const summary of await page.locator('summary').all()) if (await summary.isVisible()) await summary.click();
    await fits(page, what);
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: `test-results/screens/reach-${viewport.width}.png`, fullPage: true });
    const small = await page.evaluate(() => {
      // A check box is hit by its label, of which it is a part.
      const hit = [...document.querySelectorAll('a, button, summary, select, input')].map((one) => one.closest('label') ?? one);
      return hit
        .filter((one) => one.checkVisibility({ visibilityProperty: true }))
        .map((one) => ({ box: one.getBoundingClientRect(), html: one.outerHTML.slice(0, 120) }))
        .filter(({ box }) => box.height > 4 && // smaller: shown only when focused
           (box.height < 43.9 || box.width < 43.9))
        .map(({ box, html }) => `${box.width.toFixed(0)} × ${box.height.toFixed(0)}: ${html}`);
    });
    expect(small).toEqual([]);
  });

test('the keyboard alone is enough to broadcast and to stop, and the bar hides nothing that has the focus', async ({ page }) => {
  const title = titled('Chỉ bằng bàn phím');
  await signIn(page);
  await approved(page, title);
  const form = section(page, vi.composeTitle);
  await form.getByLabel(vi.chooseBulletin).focus();
  await page.keyboard.type(title); // a select is chosen from by typing
  await expect(form.locator('option:checked')).toContainText(title);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  const button = page.getByRole('button', { name: vi.broadcastNow(everyReceiver) });
  await expect(button).toBeVisible();
  for (let steps = 0; steps < 60 && !(await button.evaluate((one) => one === document.activeElement)); steps++) await page.keyboard.press('Tab');
  await expect(button).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(onAirBar(page).getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible({ timeout: 30_000 });

  const stop = onAirBar(page).getByRole('button', { name: vi.stopNamed(title) });
  for (let steps = 0; steps < 60 && !(await stop.evaluate((one) => one === document.activeElement)); steps++) {
    await page.keyboard.press('Shift+Tab');
    const hidden = await page.evaluate(() => {
      const one = document.activeElement;
      const bar = document.querySelector('[data-on-air]');
      if (!one || !bar || bar.contains(one) || one === document.body) return null;
      return one.getBoundingClientRect().bottom <= bar.getBoundingClientRect().bottom && one.getBoundingClientRect().bottom > bar.getBoundingClientRect().top
        ? one.outerHTML.slice(0, 120)
        : null;
    });
    expect(hidden, 'has the focus under the bar').toBeNull();
  }
  await expect(stop).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator(`article[data-broadcast="${title}"]`)).toHaveAttribute('data-state', 'stopped');
});

test('the first visit costs a slow line at most 150 kB', async ({ page }) => {
  await signIn(page);
  const files = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')] as PerformanceResourceTiming[];
    return entries.filter(({ name }) => !name.includes('/api/')).map(({ name, transferSize }) => ({ name: new URL(name).pathname, transferSize }));
  });
  const bytes = files.reduce((sum, { transferSize }) => sum + transferSize, 0);
  expect(files.length, 'every file was counted').toBeGreaterThan(10);
  expect(bytes, files.map(({ name, transferSize }) => `${transferSize} ${name}`).join('\n')).toBeLessThanOrEqual(150_000);
});

test('the bar stays in sight wherever one reads', async ({ page }) => {
  const title = titled('Luôn trong tầm mắt');
  await page.setViewportSize({ width: 390, height: 844 });
  await signIn(page);
  await approved(page, title);
  await section(page, vi.receivers).locator('tbody tr').last().scrollIntoViewIfNeeded();
  await expect(onAirBar(page)).toBeInViewport();
  await expect(onAirBar(page)).toContainText(vi.nothingOnAir);
  await expect(page.getByRole('heading', { name: vi.composeTitle })).not.toBeInViewport();
});
