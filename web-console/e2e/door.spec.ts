// The door: who may come in, what the others are told, and the way out.
import { expect, test } from '@playwright/test';
import { sentence } from '../src/lib/words/errors';
import { looks, signIn, vi } from './console';
import { env } from './env';

test('a wrong password is refused, with the reason in place', async ({ page }, { project }) => {
  await page.goto('/');
  await expect(page).toHaveURL(/\/signin$/);
  await looks(page, 'signin', project.name);
  await expect(page.locator('body')).toMatchAriaSnapshot(`
    - main:
      - heading "${vi.signInTitle}" [level=1]
      - text: ${vi.username}
      - textbox "${vi.username}"
      - text: ${vi.password}
      - textbox "${vi.password}"
      - checkbox "${vi.showPassword}"
      - text: ${vi.showPassword}
      - button "${vi.signIn}"
      - combobox "${vi.language}"
      - combobox "${vi.theme}"
  `);
  await page.getByLabel(vi.username).fill(env.user);
  await page.getByLabel(vi.password, { exact: true }).fill('not the password');
  await page.getByRole('button', { name: vi.signIn }).click();
  await expect(page.getByRole('alert')).toHaveText(sentence({ code: 'invalid_credentials', message: '' }, 'vi'));
  await expect(page).toHaveURL(/\/signin$/);
  await looks(page, 'signin-refused', project.name);
});

test('the keyboard alone is enough to come in', async ({ page }) => {
  await page.goto('/signin');
  await page.getByLabel(vi.username).focus();
  await page.keyboard.type(env.user);
  await page.keyboard.press('Tab');
  await page.keyboard.type(env.password);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: vi.signOut })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: vi.skipToContent })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toBeFocused();
});

test('after signing out nothing is shown to whoever comes next', async ({ page }) => {
  await signIn(page);
  await page.getByRole('button', { name: vi.signOut }).click();
  await expect(page.getByRole('heading', { name: vi.signInTitle })).toBeVisible();
  await page.goto('/');
  await expect(page).toHaveURL(/\/signin$/);
});

test('an address that is none says so', async ({ page }, { project }) => {
  await page.goto('/khong-co');
  await expect(page.getByRole('heading', { name: vi.pageMissing })).toBeVisible();
  await looks(page, 'missing', project.name);
});
