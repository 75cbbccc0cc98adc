// One's own account: second steps set up and used, sessions ended, tokens for programs, and what a wrong guess costs.
import { expect, request, test, type Page } from '@playwright/test';
import { sentence } from '../src/lib/words/errors';
import { looks, section, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, knock, letIn, menu, more, named, password, places, setUpTotp, username } from './office';

const { office } = env;
const inside = (page: Page) => page.getByRole('navigation', { name: vi.menu });

/** Somebody new of the commune, in a browser of their own. */
async function somebody(browser: Parameters<typeof letIn>[0], name: string, base = office.url) {
  const api = await Api.of(office);
  const { commune } = await places(api);
  const who = username('nguyen.an');
  const link = await api.invite(who, name, [{ role: 'approver', area_id: commune }]);
  return { who, commune, ...(await letIn(browser, link, base)) };
}

test('an authenticator app is set up and then asked for; a recovery code does once in its place', async ({ browser }) => {
  const { who, page, context } = await somebody(browser, 'Nguyễn Thị An');
  await menu(page, vi.menuAccount).click();
  await expect(page.getByText(more.noFactors)).toBeVisible();
  await bothSizes(page, (size) => looks(page, 'account', size));
  await page.getByRole('button', { name: more.addTotp }).click();
  await expect(page.getByRole('img', { name: more.totpQr })).toBeVisible();
  await bothSizes(page, (size) => looks(page, 'totp', size));
  await page.getByLabel(vi.code).fill('000000');
  await page.getByRole('button', { name: more.confirmTotp }).click();
  await expect(page.getByRole('form', { name: more.addTotp }).getByRole('alert')).toContainText(more.factorNotAdded);
  await page.getByRole('button', { name: vi.cancel }).click();

  const { app, codes } = await setUpTotp(page);
  expect(codes.length).toBeGreaterThan(5);
  await expect(page.locator('[data-factor="totp"]')).toContainText(more.phone);
  await bothSizes(page, (size) => looks(page, 'recovery-codes', size));
  await page.getByRole('button', { name: more.keptIt }).click();
  await expect(page.getByText(codes[0] ?? '-')).toHaveCount(0);

  await page.getByRole('button', { name: vi.signOut }).click();
  await knock(page, who);
  await expect(page.getByRole('heading', { name: vi.secondTitle })).toBeVisible();
  await expect(page.getByLabel(vi.code)).toHaveAttribute('autocomplete', 'one-time-code');
  await bothSizes(page, (size) => looks(page, 'second-step', size));
  // The second step stays the second step, whatever address is typed.
  await page.goto('/account');
  await expect(page.getByRole('heading', { name: vi.secondTitle })).toBeVisible();
  await page.getByLabel(vi.code).fill('123456');
  await page.getByRole('button', { name: vi.continue }).click();
  await expect(page.getByRole('alert')).not.toBeEmpty();
  await page.getByLabel(vi.code).fill(await app.code());
  await page.getByRole('button', { name: vi.continue }).click();
  await expect(inside(page)).toBeVisible();

  await page.getByRole('button', { name: vi.signOut }).click();
  for (const works of [true, false]) {
    await knock(page, who);
    await page.getByRole('button', { name: vi.useRecovery }).click();
    if (works) await looks(page, 'recovery', 'phone');
    await page.getByLabel(vi.recoveryCode).fill(codes[1] ?? '');
    await page.getByRole('button', { name: vi.continue }).click();
    if (works) {
      await expect(inside(page)).toBeVisible();
      await page.getByRole('button', { name: vi.signOut }).click();
    } else await expect(page.getByRole('alert')).not.toBeEmpty();
  }
  await context.close();
});

test('a passkey is made and signs in', async ({ browser }) => {
  // Passkeys belong to a name: this story opens the console as localhost.
  const { who, page, context } = await somebody(browser, 'Phạm Văn Khóa', named);
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true }
  });
  await menu(page, vi.menuAccount).click();
  await page.getByRole('button', { name: more.addPasskey }).click();
  await bothSizes(page, (size) => looks(page, 'passkey', size));
  await page.getByLabel(more.factorName).fill('Máy tính trụ sở');
  await page.getByRole('button', { name: more.makePasskey }).click();
  await expect(page.locator('[data-factor="passkey"]')).toContainText('Máy tính trụ sở');
  await expect(page.getByRole('region', { name: more.recoveryTitle })).toBeVisible();
  await page.getByRole('button', { name: vi.signOut }).click();

  await knock(page, who, password, named);
  await expect(page.getByRole('button', { name: vi.usePasskey })).toBeVisible();
  await looks(page, 'second-step-passkey', 'phone');
  // A device that does not know its owner gives nothing away.
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await page.getByRole('button', { name: vi.usePasskey }).click();
  await expect(page.getByRole('alert')).toContainText(/\S \S/, { timeout: 90_000 });
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
  await page.getByRole('button', { name: vi.usePasskey }).click();
  await expect(inside(page)).toBeVisible();
  await context.close();
});

test('another session of mine is ended from here, and the password changed', async ({ browser }) => {
  const { who, page, context } = await somebody(browser, 'Vũ Thị Phiên');
  const elsewhere = await browser.newContext({ baseURL: office.url });
  const other = await elsewhere.newPage();
  await goIn(other, who);
  await menu(page, vi.menuAccount).click();
  const sessions = section(page, more.sessions);
  await expect(sessions.locator('li')).toHaveCount(2);
  await sessions.getByRole('button', { name: new RegExp(`^${more.endSession}`) }).click();
  await sessions.getByRole('button', { name: more.endSession, exact: true }).click();
  await expect(sessions.locator('li')).toHaveCount(1);
  await expect(other.getByText(vi.signedOutBecause)).toBeVisible();

  const card = section(page, vi.password);
  await card.getByLabel(more.currentPassword, { exact: true }).fill('không phải mật khẩu này');
  await card.getByLabel(more.newPassword, { exact: true }).fill('ruộng bậc thang mùa nước đổ');
  await card.getByRole('button', { name: more.changePassword }).click();
  await expect(card.getByRole('alert')).toContainText(more.passwordNotChanged);
  await card.getByLabel(more.currentPassword, { exact: true }).fill(password);
  await card.getByRole('button', { name: more.changePassword }).click();
  await expect(card.getByText(more.passwordChanged)).toBeVisible();
  await goIn(other, who, 'ruộng bậc thang mùa nước đổ');
  await Promise.all([context.close(), elsewhere.close()]);
});

test('a token is made, shown once, used by a program for what it may and no more, and taken back', async ({ browser }) => {
  const { page, context } = await somebody(browser, 'Hoàng Văn Mã');
  await menu(page, vi.menuAccount).click();
  const card = section(page, more.tokens);
  await card.getByRole('button', { name: more.newToken }).click();
  await card.getByLabel(more.tokenName).fill('Bảng tin điện tử');
  // Only rights that its maker has can be given.
  await expect(card.getByLabel(more.rights.people)).toHaveCount(0);
  await bothSizes(page, (size) => looks(page, 'token', size));
  await card.getByRole('button', { name: more.makeToken }).click();
  const token = (await card.getByRole('region', { name: more.tokenTitle }).locator('pre').innerText()).trim();
  expect(token).toMatch(/^loa_/);
  await bothSizes(page, (size) => looks(page, 'token-made', size));

  const program = await request.newContext({ baseURL: office.url, extraHTTPHeaders: { Authorization: `Bearer ${token}` } });
  const seen = (await (await program.get('/api/v1/receivers')).json()) as { name: string }[];
  expect(seen.map(({ name }) => name)).toEqual(['Đình làng Đông']);
  expect((await program.post('/api/v1/broadcasts', { data: { bulletin_id: '', target: { areas: [], receivers: [] } } })).ok()).toBe(false);

  await card.getByRole('button', { name: more.keptIt }).click();
  await expect(card.getByText(token)).toHaveCount(0);
  await card.getByRole('button', { name: more.removeNamed('Bảng tin điện tử') }).click();
  await card.getByRole('button', { name: more.remove, exact: true }).click();
  await expect(card.getByText(more.noTokens)).toBeVisible();
  expect((await program.get('/api/v1/receivers')).status()).toBe(401);
  await Promise.all([context.close(), program.dispose()]);
});

test('guessing a password costs time, which is shown as it is', async ({ browser, page }) => {
  const { who, context } = await somebody(browser, 'Ngô Văn Đợi');
  const waiting = page.locator('[data-wait]');
  await page.goto(`${office.url}/signin`);
  await page.getByLabel(vi.username).fill(who);
  await page.getByLabel(vi.password, { exact: true }).fill('không phải mật khẩu này');
  for (let attempts = 0; attempts < 20 && !(await waiting.isVisible()); attempts++) {
    const answered = page.waitForResponse((response) => response.url().endsWith('/api/v1/session') && response.request().method() === 'POST');
    await page.getByRole('button', { name: vi.signIn, exact: true }).click();
    await answered;
    await expect(page.getByRole('alert')).toBeVisible();
  }
  await expect(waiting).toBeVisible();
  await expect(page.getByRole('button', { name: vi.signIn, exact: true })).toBeDisabled();
  await page.screenshot({ path: 'test-results/screens/wait.png', fullPage: true });
  const left = Number(await waiting.getAttribute('data-wait'));
  await expect.poll(async () => (await waiting.count()) === 0 || (await waiting.getAttribute('data-wait')) !== String(left), 'it counts down').toBe(true);
  expect(sentence({ code: 'invalid_credentials', message: '' }, 'vi')).not.toBe('');
  await context.close();
});
