// A bulletin's way: submitted, refused with a reason, submitted again, approved, sent down, accepted by a commune.
import { expect, test } from '@playwright/test';
import { vi as say } from '../src/lib/words/schedule/vi';
import { bulletin, looks, openUpload, section, titled, vi } from './console';
import { env } from './env';
import { Api, bothSizes, letIn, menu, more, places, username } from './office';

test('a bulletin is asked for, refused, approved, sent to a commune and accepted there', async ({ browser }) => {
  const api = await Api.of(env.office);
  const { province, commune } = await places(api);
  const invite = async (who: string, name: string, role: string, area_id: string) =>
    (await letIn(browser, await api.invite(username(who), name, [{ role, area_id }]))).page;
  const author = await invite('soan', 'Nguyễn Thị Mai', 'officer', province);
  const leader = await invite('duyet', 'Trần Văn Hùng', 'approver', province);
  const officer = await invite('xa', 'Lê Thị Đông', 'officer', commune);
  const title = titled('Tiêm chủng đợt 2');
  const waiting = section(leader, more.waitingTitle);

  await openUpload(author);
  await author.getByLabel(vi.file).setInputFiles(env.mp3);
  await author.getByLabel(vi.title).fill(title);
  // An officer of a province chooses for which of its areas.
  await author.getByLabel(vi.bulletinArea).selectOption(province);
  await author.getByRole('button', { name: vi.upload, exact: true }).click();
  await expect(author.getByText(vi.uploaded(title))).toBeVisible({ timeout: 60_000 });
  await author.getByRole('button', { name: vi.submitNamed(title) }).click();
  await expect(bulletin(author, title).getByText(vi.submitted)).toBeVisible();

  // Who approves is told at once, listens, and says no and why.
  await menu(leader, vi.menuInbox).click();
  await expect(waiting.getByText(title)).toBeVisible();
  await waiting.getByRole('button', { name: vi.listenNamed(title) }).click();
  await expect(waiting.locator('audio')).toHaveJSProperty('error', null);
  await waiting.getByRole('button', { name: more.refuseNamed(title) }).click();
  const why = waiting.getByRole('form', { name: more.refuseNamed(title) });
  await bothSizes(leader, (size) => looks(leader, 'inbox-waiting', size));
  await why.getByLabel(more.refuseWhy).fill('Thiếu ngày tiêm');
  await why.getByRole('button', { name: more.refuse }).click();
  await expect(waiting.getByText(title)).toHaveCount(0);

  // Its author reads the reason, and asks again; this time it is approved.
  await menu(author, vi.menuInbox).click();
  const mine = section(author, more.refusedTitle);
  await expect(mine.getByText(more.refusedBecause('Thiếu ngày tiêm'))).toBeVisible();
  await mine.getByRole('button', { name: vi.submitNamed(title) }).click();
  await expect(mine.getByText(title)).toHaveCount(0);
  await waiting.getByRole('button', { name: vi.approveNamed(title) }).click();
  await expect(waiting.getByText(title)).toHaveCount(0);

  // It goes down to one commune.
  const down = section(author, more.sendTitle);
  await down.getByLabel(vi.chooseBulletin).selectOption({ label: title });
  await down.getByLabel('Xã Tân An').check();
  await down.getByLabel(more.sendNote).fill('Phát trước thứ sáu');
  await down.getByRole('button', { name: more.sendNow(1) }).click();
  const sent = down.getByRole('list', { name: more.sentList });
  await expect(sent.getByText(more.fared['received'] ?? '')).toBeVisible();

  // Its people find it, and decide.
  await menu(officer, vi.menuInbox).click();
  const received = section(officer, more.receivedTitle);
  await expect(received.getByText('Phát trước thứ sáu')).toBeVisible();
  await bothSizes(officer, (size) => looks(officer, 'inbox-received', size));
  await received.getByRole('button', { name: more.acceptNamed(title) }).click();
  await expect(officer).toHaveURL(/\/schedule\?bulletin=[0-9a-f-]{36}$/);
  const sentence = section(officer, say.editNew);
  await expect(sentence.getByText(title).first()).toBeVisible();
  for (const page of [author, leader, officer]) await page.context().close();
});
