// People: invited by a link, offered only what they may do where they may do it, given more, and shut out at once.
import { expect, test, type Page } from '@playwright/test';
import { sentence } from '../src/lib/words/errors';
import { audit, bulletin, looks, openUpload, section, titled, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, knock, letIn, menu, more, password, places, username } from './office';

const { office } = env;
const closed = sentence({ code: 'link_closed', message: '' }, 'vi');
const person = (page: Page, who: string) => page.locator(`article[data-person="${who}"]`);

test.beforeAll(async () => void (await places(await Api.of(office))));

test('somebody is invited to one commune, comes in by the link, and is offered that commune and nothing else', async ({ page, browser }) => {
  const who = username('tran.binh');
  await goIn(page, office.user, office.password);
  await menu(page, vi.menuPeople).click();
  await expect(page.getByRole('heading', { name: vi.menuPeople })).toBeVisible();
  await page.getByRole('button', { name: more.invite }).click();
  await page.getByLabel(vi.displayName).fill('Trần Văn Bình');
  await page.getByLabel(vi.username).fill(who);
  await page.getByLabel(more.where).selectOption({ label: '\u2003Xã Tân An' });
  await bothSizes(page, (size) => looks(page, 'invite', size));
  await page.getByRole('button', { name: more.inviteNow }).click();

  const once = page.getByRole('region', { name: more.linkOf('Trần Văn Bình') });
  await expect(once).toBeFocused();
  const link = await once.locator('pre').innerText();
  expect(link).toContain('/link#');
  await bothSizes(page, (size) => looks(page, 'invited', size));
  await expect(person(page, who)).toContainText('Soạn và phát bản tin đã duyệt tại Xã Tân An và các thôn');
  await expect(person(page, who)).toContainText(more.invitedWaits);

  const theirs = await browser.newContext({ baseURL: office.url });
  const their = await theirs.newPage();
  await their.goto(link);
  await expect(their.getByText(more.linkFor('Trần Văn Bình'))).toBeVisible();
  expect(their.url(), 'the token has left the address').not.toContain('#');
  await bothSizes(their, (size) => looks(their, 'link', size));
  await their.getByLabel(more.newPassword).fill(password);
  await their.getByRole('button', { name: more.setPassword }).click();

  await expect(their.getByRole('navigation', { name: vi.menu }).getByRole('link')).toHaveText([vi.menuHome, vi.menuLive, vi.menuSchedule, vi.menuInbox, vi.menuLibrary, vi.menuPlaylists, vi.menuHours, vi.menuReceivers, vi.menuAccount]);
  const receivers = section(their, vi.receivers);
  await expect(receivers.locator('tbody tr')).toHaveCount(1);
  await expect(receivers).toContainText('Đình làng Đông');
  const compose = section(their, vi.composeTitle);
  await expect(compose.locator('fieldset .name').first()).toHaveText('Xã Tân An');
  await expect(compose).not.toContainText('Phù Lãng');
  await expect(compose).not.toContainText('Bắc Ninh');

  // Their own bulletin waits for somebody else.
  const title = titled('Họp thôn');
  await openUpload(their);
  await their.getByLabel(vi.file).setInputFiles(env.mp3);
  await their.getByLabel(vi.title).fill(title);
  await their.getByLabel(vi.bulletinArea).selectOption({ label: 'Xã Tân An' });
  await their.getByRole('button', { name: vi.upload, exact: true }).click();
  await bulletin(their, title).getByRole('button', { name: vi.submitNamed(title) }).click({ timeout: 60_000 });
  await expect(bulletin(their, title)).toContainText(vi.waitsForApproval);
  await expect(their.getByRole('button', { name: vi.approveNamed(title) })).toHaveCount(0);
  await bothSizes(their, (size) => looks(their, 'one-commune', size));

  // What the page does not offer, its address does not give either.
  await their.goto('/people');
  await expect(their.locator('[data-person]')).toHaveCount(0);
  await expect(section(their, vi.menuPeople).getByRole('alert')).toBeVisible();

  await their.goto('about:blank');
  await their.goto(link);
  await expect(their.getByText(closed)).toBeVisible();
  await looks(their, 'link-used', 'laptop');
  await theirs.close();

  // Roles change while they look: what is offered changes with them.
  const again = await browser.newContext({ baseURL: office.url });
  const open = await again.newPage();
  await goIn(open, who);
  await expect(bulletin(open, title)).toContainText(vi.waitsForApproval);
  await page.getByRole('button', { name: more.keptIt }).click();
  await person(page, who).getByRole('button', { name: more.changeNamed('Trần Văn Bình') }).click();
  await person(page, who).getByLabel(more.role).selectOption('approver');
  await bothSizes(page, (size) => looks(page, 'person-changed', size));
  await person(page, who).getByRole('button', { name: more.save }).click();
  await expect(person(page, who)).toContainText('Duyệt bản tin, phát khẩn cấp tại Xã Tân An và các thôn');
  await open.getByRole('button', { name: vi.approveNamed(title) }).click();
  await expect(bulletin(open, title).getByText(vi.approved)).toBeVisible();
  await again.close();
});

test('who is disabled is out at once, and comes back in when enabled', async ({ page, browser }) => {
  const api = await Api.of(office);
  const { commune } = await places(api);
  const who = username('le.hoa');
  const link = await api.invite(who, 'Lê Thị Hòa', [{ role: 'officer', area_id: commune }]);
  const { page: their, context } = await letIn(browser, link);

  await goIn(page, office.user, office.password);
  await menu(page, vi.menuPeople).click();
  await person(page, who).getByRole('button', { name: more.disableNamed('Lê Thị Hòa') }).click();
  await expect(person(page, who).getByText(more.disableSure('Lê Thị Hòa'))).toBeVisible();
  await audit(page, 'disable asked');
  await page.screenshot({ path: 'test-results/screens/disable-asked.png', fullPage: true });
  await person(page, who).getByRole('button', { name: more.disable, exact: true }).click();
  await expect(person(page, who)).toHaveAttribute('data-disabled', 'true');
  await expect(their.getByText(vi.signedOutBecause), 'without anything done there').toBeVisible();
  await knock(their, who);
  await expect(their.getByRole('alert')).toHaveText(sentence({ code: 'invalid_credentials', message: '' }, 'vi'));

  await person(page, who).getByRole('button', { name: more.enableNamed('Lê Thị Hòa') }).click();
  await expect(person(page, who)).toHaveAttribute('data-disabled', 'false');
  await goIn(their, who);
  await context.close();
});

test('who lost their password gets a link, and the old password is none any more', async ({ page, browser }) => {
  const api = await Api.of(office);
  const { commune } = await places(api);
  const who = username('do.nam');
  const { page: their, context } = await letIn(browser, await api.invite(who, 'Đỗ Văn Nam', [{ role: 'technician', area_id: commune }]));

  await goIn(page, office.user, office.password);
  await menu(page, vi.menuPeople).click();
  await person(page, who).getByRole('button', { name: more.resetLinkNamed('Đỗ Văn Nam') }).click();
  await person(page, who).getByRole('button', { name: more.makeLink }).click();
  const link = await page.getByRole('region', { name: more.linkOf('Đỗ Văn Nam') }).locator('pre').innerText();

  await their.goto('about:blank');
  await their.goto(link);
  await expect(their.getByRole('heading', { name: more.linkResetTitle })).toBeVisible();
  await their.getByLabel(more.newPassword).fill('cầu vồng bảy sắc sau mưa rào');
  await their.getByRole('button', { name: more.setPassword }).click();
  await expect(their.getByRole('navigation', { name: vi.menu }).getByRole('link')).toHaveText([vi.menuHome, vi.menuSchedule, vi.menuLibrary, vi.menuPlaylists, vi.menuHours, vi.menuReceivers, vi.menuAccount]);
  await expect(section(their, vi.composeTitle), 'a technician broadcasts nothing').toHaveCount(0);
  await their.getByRole('button', { name: vi.signOut }).click();
  await knock(their, who);
  await expect(their.getByRole('alert')).toHaveText(sentence({ code: 'invalid_credentials', message: '' }, 'vi'));
  await context.close();
});
