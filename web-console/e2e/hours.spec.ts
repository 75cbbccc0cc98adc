// What an area allows: rules from a preset and by hand, what the server refuses at its field, and leave by two people.
import { expect, test } from '@playwright/test';
import { fits, looks, section, vi } from './console';
import { env } from './env';
import { Api, bothSizes, goIn, letIn, menu, more, places, username } from './office';

/** The day that many days from now, as a date field takes it. */
const day = (ahead: number) => new Date(Date.now() + ahead * 86_400_000).toLocaleDateString('sv', { timeZone: 'Asia/Ho_Chi_Minh' });

let api: Api;
let area: Awaited<ReturnType<typeof places>>;
test.beforeAll(async () => {
  api = await Api.of(env.office);
  area = await places(api);
});

test('a preset is applied with its source, before and after in sight; what is wrong is refused at its field', async ({ page }) => {
  for (const id of [area.province, area.commune]) await api.call('put', `/api/v1/areas/${id}/rules`, { rules: {} });
  await goIn(page, env.office.user, env.office.password, env.office.url);
  await menu(page, vi.menuHours).click();
  await page.getByLabel(vi.area, { exact: true }).first().selectOption(area.province);
  const own = page.locator('[data-own]');
  await expect(own).toContainText(more.sayings.anyTime);
  await page.getByRole('button', { name: more.changeRules }).click();
  const form = page.getByRole('form', { name: more.changeRulesOf('Tỉnh Bắc Ninh') });
  await expect(form.getByRole('button', { name: more.saveRules })).toBeDisabled();
  await form.getByLabel(more.preset).selectOption('hanoi_urban');
  await expect(form.getByText('Hà Nội 2021')).toBeVisible();
  await form.getByRole('button', { name: more.takePreset }).click();
  const change = (kind: string) => form.locator(`[data-change="${kind}"]`);
  await expect(change('gone')).toHaveText(`${more.changes.gone} ${more.sayings.anyTime}`);
  await expect(change('new')).toHaveText([`${more.changes.new} T2–T6, 05:00–21:00`, `${more.changes.new} ${more.sayings.minutesADay(30)}`]);

  await form.getByLabel(more.minutesMost).fill('1441');
  await form.getByRole('button', { name: more.addSeason }).click();
  await form.getByLabel(more.seasonName).fill('Tết');
  await form.getByLabel(more.firstDay).fill('2026-02-16');
  await form.getByLabel(more.lastDay).fill('2026-02-20');
  await form.getByRole('button', { name: more.saveRules }).click();
  await expect(form.locator('#rules-minutes-hint')).toHaveText('Phải là từ 0 đến 1440 phút.');
  await bothSizes(page, (size) => looks(page, 'hours-change', size));
  await page.setViewportSize({ width: 320, height: 568 });
  await fits(page, 'the rules at 320 pixels');
  await form.getByLabel(more.minutesMost).first().fill('30');
  await form.getByRole('button', { name: more.saveRules }).click();
  await expect(page.getByText(more.rulesSaved)).toBeVisible();
  await expect(own.locator('li')).toHaveText(['T2–T6, 05:00–21:00', more.sayings.minutesADay(30), more.sayings.season('Tết', '16/2', '20/2', true, more.sayings.never)]);

  // What the province says holds in its communes.
  await page.getByLabel(vi.area, { exact: true }).first().selectOption(area.commune);
  await expect(page.locator('[data-above]')).toContainText('Tỉnh Bắc Ninh');
  await expect(page.locator('[data-above]')).toContainText(more.sayings.minutesADay(30));
  await expect(page.locator('[data-today]')).toContainText(more.sayings.minutesADay(30));
  await api.call('put', `/api/v1/areas/${area.province}/rules`, { rules: {} });
});

test('leave to go past the hours takes two people, a reason and an end', async ({ browser }) => {
  const reason = `Đón bão ${Date.now().toString(36)}`;
  const { page: officer, context: one } = await letIn(browser, await api.invite(username('can.bo'), 'Ngô Văn Cán Bộ', [{ role: 'officer', area_id: area.commune }]));
  await menu(officer, vi.menuHours).click();
  const theirs = section(officer, more.overrides);
  await theirs.getByRole('button', { name: more.askOverride }).click();
  await theirs.getByLabel(vi.area).selectOption(area.commune);
  await theirs.getByLabel(more.until).fill(day(40));
  await theirs.getByRole('button', { name: more.askNow }).click();
  await expect(theirs.locator('#override-reason-wrong')).toHaveText('Không được để trống.');
  await theirs.getByLabel(more.reason).fill(reason);
  await theirs.getByRole('button', { name: more.askNow }).click();
  await expect(theirs.locator('#override-until-wrong')).toContainText('31 ngày');
  await bothSizes(officer, (size) => looks(officer, 'overrides', size));
  await theirs.getByLabel(more.until).fill(day(2));
  await theirs.getByRole('button', { name: more.askNow }).click();
  const asked = officer.locator(`[data-override="${reason}"]`);
  await expect(asked).toHaveAttribute('data-holds', 'false');
  await expect(asked.getByRole('button', { name: more.allowNamed(reason) }), 'an officer approves nothing').toHaveCount(0);

  // The second person finds it among what waits for them, and may not be the one who asks.
  const { page: chief, context: two } = await letIn(browser, await api.invite(username('truong.phong'), 'Đỗ Thị Trưởng Phòng', [{ role: 'approver', area_id: area.commune }]));
  await chief.locator('[data-need="allow"]').click();
  const leave = chief.locator(`[data-override="${reason}"]`);
  await leave.getByRole('button', { name: more.allowNamed(reason) }).click();
  await expect(leave).toHaveAttribute('data-holds', 'true');
  await expect(leave).toContainText(more.allowedBy('Đỗ Thị Trưởng Phòng'));
  const own = `Tự cho phép ${Date.now().toString(36)}`;
  await section(chief, more.overrides).getByRole('button', { name: more.askOverride }).click();
  await chief.getByRole('form', { name: more.askOverride }).getByLabel(vi.area).selectOption(area.commune);
  await chief.getByLabel(more.reason).fill(own);
  await chief.getByLabel(more.until).fill(day(2));
  await chief.getByRole('button', { name: more.askNow }).click();
  const mine = chief.locator(`[data-override="${own}"]`);
  await mine.getByRole('button', { name: more.allowNamed(own) }).click();
  await expect(mine.getByRole('alert')).toBeVisible();
  await expect(mine).toHaveAttribute('data-holds', 'false');
  for (const [page, row, text] of [[chief, mine, own], [officer, asked, reason]] as const) {
    await row.getByRole('button', { name: more.withdrawNamed(text) }).click();
    await expect(page.locator(`[data-override="${text}"]`)).toHaveCount(0);
  }
  await Promise.all([one.close(), two.close()]);
});
