// Single sign-on, with a real provider (tests/oidc): an account is linked, one comes in by it and leaves both; an account that is not
// linked does not come in; who is invited needs no password.
import { expect, test, type Page } from '@playwright/test';
import { audit, fits, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, menu, more, username } from './office';

const { url, user, password, name } = env.sso;
const byProvider = (page: Page) => page.getByRole('button', { name: vi.signInWith(name) });
const door = (page: Page) => page.getByRole('heading', { name: vi.signInTitle, exact: true });

test.use({ baseURL: url });
test.describe.configure({ mode: 'serial' });

/** Says at the provider who one is, and that Loa may know. */
async function says(page: Page, login: string) {
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('of no use here');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

const inside = (page: Page) => expect(page.getByRole('navigation', { name: vi.menu })).toBeVisible();

test('an account is linked, lets in without a password, and is taken away again', async ({ page }) => {
  const login = username('lan');
  await page.goto('/signin');
  await expect(byProvider(page)).toBeVisible();
  await bothSizes(page, async (size) => {
    await fits(page, `the door with a provider, ${size}`);
    await audit(page, `the door with a provider, ${size}`);
  });
  await goIn(page, user, password, url);
  await menu(page, vi.menuAccount).click();
  await page.getByRole('button', { name: more.linkWith(name) }).click();
  await says(page, login);
  const card = page.getByRole('region', { name: more.identityTitle });
  await expect(card.getByText(`${login}@tinh.example`)).toBeVisible();
  await expect(page).toHaveURL(`${url}/account`);
  await bothSizes(page, async (size) => {
    await fits(page, `the account with a provider, ${size}`);
    await audit(page, `the account with a provider, ${size}`);
  });

  // Whoever came in by the password leaves Loa alone; the provider still knows them.
  await page.getByRole('button', { name: vi.signOut }).click();
  await expect(door(page)).toBeVisible();
  await byProvider(page).click();
  await inside(page);
  await menu(page, vi.menuAccount).click();
  await expect(page.getByText(new RegExp(`· ${more.identityTitle}`)).first()).toBeVisible();

  // Whoever came in by the provider leaves the provider, too.
  await page.getByRole('button', { name: vi.signOut }).click();
  await page.getByRole('button', { name: 'Yes, sign me out' }).click();
  await expect(door(page)).toBeVisible();
  await byProvider(page).click();
  await says(page, login);
  await inside(page);

  await menu(page, vi.menuAccount).click();
  await card.getByRole('button', { name: more.unlinkNamed(`${login}@tinh.example`) }).click();
  await expect(card.getByText(more.unlinkSure(`${login}@tinh.example`))).toBeVisible();
  await card.getByRole('button', { name: more.unlink, exact: true }).click();
  await expect(card.getByRole('button', { name: more.linkWith(name) })).toBeVisible();

  // The record says all of it.
  await menu(page, vi.menuRecord).click();
  for (const what of ['identity.link', 'identity.unlink']) {
    const entry = page.locator(`article[data-what="${what}"]`).first();
    await expect(entry).toContainText(more.acts[what] ?? '-');
    await expect(entry).toContainText(`${login}@tinh.example (${login})`);
  }
});

test('an account that nobody has linked does not come in, and the password goes on', async ({ page }) => {
  await page.goto('/signin');
  await byProvider(page).click();
  await says(page, username('khach'));
  await expect(page.getByRole('alert')).toContainText('chưa gắn với người dùng nào');
  await expect(page).toHaveURL(`${url}/oidc`);
  await audit(page, 'an account that is not linked');
  await page.getByRole('link', { name: vi.signIn }).click();
  await goIn(page, user, password, url);
});

test('who cancels at the provider is told so', async ({ page }) => {
  await page.goto('/signin');
  await byProvider(page).click();
  await page.getByRole('link', { name: /Cancel/ }).click();
  await expect(page.getByRole('alert')).toContainText('bạn đã hủy');
});

test('who is invited comes in by their account and never has a password', async ({ page }) => {
  const who = username('mai');
  const api = await Api.of(env.sso);
  const link = await api.invite(who, 'Trần Thị Mai', [{ role: 'officer' }]);
  await page.goto(link.replace(/^https?:\/\/[^/]+/, url));
  await byProvider(page).click();
  await says(page, who);
  await inside(page);
  await menu(page, vi.menuAccount).click();
  await expect(page.getByText(`(${who})`)).toBeVisible();
  await expect(page.getByRole('region', { name: more.identityTitle })).toBeVisible();
  await expect(page.getByLabel(more.currentPassword)).toHaveCount(0);
  await page.goto(link.replace(/^https?:\/\/[^/]+/, url));
  await expect(page.getByRole('alert')).toBeVisible();
});
