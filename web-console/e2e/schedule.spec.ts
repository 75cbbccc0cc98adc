// The week: an officer makes one in a few clicks, is told who gives way, moves and drops single broadcasts, takes back, and learns
// why a pole is silent; with a mouse, on a phone, by the keyboard alone; and nothing that was written is lost.
import { readFileSync } from 'node:fs';
import { expect, test, type Locator, type Page } from '@playwright/test';
import { vi as say } from '../src/lib/words/schedule/vi';
import { audit, fits, looks, vi } from './console';
import { env } from './env';
import { Api, bothSizes, letIn, menu, more, places, username } from './office';

const { office } = env;
/** Titles that no earlier run on the same server gave. */
const mark = Date.now().toString(36);
const titles = [`Bản tin sáng xã ${mark}`, `Nhắc tiêm chủng ${mark}`, `Tin nông vụ ${mark}`] as const;
let api: Api;
let ids: string[];
let there: Awaited<ReturnType<typeof places>>;

type Kept = { id: string; version: number; title: string };
const kept = () => api.call<Kept[]>('get', '/api/v1/schedules');
const clear = async () => {
  for (const { id } of await kept()) await api.call('delete', `/api/v1/schedules/${id}`);
};
const daily = (title: string, time: string, other: object = {}) =>
  api.call<Kept>('post', '/api/v1/schedules', {
    title,
    bulletin_id: ids[0],
    target: { areas: [there.commune], receivers: [] },
    start: `${tomorrow()}T${time}:00`,
    rule: 'FREQ=DAILY',
    despite_clashes: true,
    ...other
  });
const tomorrow = () => new Date(Date.now() + 31 * 3_600_000).toISOString().slice(0, 10);

const editor = (page: Page) => page.locator('section:has(#editor-title)');
const card = (page: Page, title: string) => page.locator(`[data-occurrence^="${title} "]`);
const row = (page: Page, title: string) => page.locator(`[data-schedule="${title}"]`);
const answered = (page: Locator) => expect(page.locator('[data-answered="true"]')).toBeVisible();

test.beforeAll(async () => {
  api = await Api.of(office);
  there = await places(api);
  ids = [];
  for (const title of titles) ids.push(await api.bulletin(title, env.mp3, there.commune));
});
test.beforeEach(clear);
test.afterAll(clear);

/** An officer of the commune, at the page of schedules. */
async function officer(browser: Parameters<typeof letIn>[0]) {
  const link = await api.invite(username('can.bo'), 'Ngô Thị Cán Bộ', [{ role: 'officer', area_id: there.commune }]);
  const { page, context } = await letIn(browser, link);
  await menu(page, vi.menuSchedule).click();
  await expect(page.getByRole('button', { name: say.create })).toBeVisible();
  return { page, context };
}

test('an officer makes a week in fewer than 30 clicks and is told who gives way', async ({ browser }) => {
  const { page, context } = await officer(browser);
  let clicks = 1; // the menu
  const click = async (what: Locator) => {
    clicks += 1;
    await what.click();
  };
  const sentence = editor(page);
  const begin = async (title: string, time: string) => {
    await click(page.getByRole('button', { name: say.create }));
    await click(sentence.getByRole('button', { name: title }));
    await click(sentence.getByLabel(say.parts.time));
    await sentence.getByLabel(say.parts.time).fill(time);
  };
  const days = async (preset: string) => {
    await click(sentence.locator('[data-part="days"]'));
    await click(sentence.getByRole('button', { name: preset, exact: true }));
  };
  const keep = async (name: string) => {
    await answered(sentence);
    await click(sentence.getByRole('button', { name, exact: true }));
    await expect(sentence).toHaveCount(0);
  };

  await click(page.getByRole('button', { name: say.create }));
  await expect(sentence.locator('h2'), 'whoever begins is taken there').toBeFocused();
  await click(sentence.getByRole('button', { name: titles[0] }));
  await click(sentence.getByLabel('Xã Tân An'));
  await click(sentence.getByLabel(say.parts.time));
  await sentence.getByLabel(say.parts.time).fill('05:30');
  await days(say.presetSix);
  await expect(sentence.getByText(say.noClash)).toBeVisible();
  await keep(say.keep);
  await begin(titles[1], '06:00');
  await keep(say.keep);
  await begin(titles[2], '11:30');
  await keep(say.keep);
  await begin(titles[0], '17:00');
  await days(say.presetAll);
  await keep(say.keep);
  await begin(titles[1], '17:00');
  await expect(sentence.getByText(say.clashCount(1))).toBeVisible();
  await expect(sentence.locator('[data-answered] li').first()).toContainText('nhường');
  await bothSizes(page, (size) => looks(page, 'schedule-editor', size));
  await keep(say.keepDespite);
  expect(await kept()).toHaveLength(5);
  expect(clicks, 'clicks for a week of five schedules').toBeLessThan(30);

  // The next week has all of them; one of two at 17:00 gives way, in words.
  await page.getByRole('button', { name: say.after, exact: true }).click();
  await expect(card(page, titles[2])).toHaveCount(6);
  await expect(page.getByRole('button', { name: /nhường/ })).toHaveCount(7);
  await bothSizes(page, (size) => looks(page, 'schedule', size));
  await context.close();
});

test('single broadcasts are moved, dropped and taken back, by forms and with the mouse', async ({ browser }) => {
  await daily(titles[1], '06:00', { bulletin_id: ids[1], rule: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA' });
  await daily(titles[2], '11:30', { bulletin_id: ids[2], rule: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA' });
  const { page, context } = await officer(browser);
  await page.getByRole('button', { name: say.after, exact: true }).click();
  await expect(card(page, titles[2])).toHaveCount(6);

  // One occurrence is moved by the form; the others stay.
  const tuesday = card(page, titles[2]).nth(1);
  await tuesday.click();
  const dialog = page.getByRole('dialog');
  await bothSizes(page, (size) => inDialog(page, 'schedule-occurrence', size));
  await dialog.getByRole('button', { name: say.move }).click();
  await dialog.getByLabel(say.moveTime).fill('09:15');
  await answered(dialog);
  await bothSizes(page, (size) => inDialog(page, 'schedule-move', size));
  await dialog.getByRole('button', { name: say.moveNow, exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByText(say.dones.moved(titles[2]))).toBeVisible();
  await expect(tuesday).toContainText('9:15');
  await expect(card(page, titles[2]).first()).toContainText('11:30');

  // Another is dropped, taken back, and dropped again.
  const wednesday = card(page, titles[2]).nth(2);
  for (const back of [true, false]) {
    await wednesday.click();
    await dialog.getByRole('button', { name: say.drop }).click();
    await expect(card(page, titles[2])).toHaveCount(5);
    if (!back) break;
    await page.getByRole('button', { name: say.undo }).click();
    await expect(card(page, titles[2])).toHaveCount(6);
  }

  // Another bulletin sounds once, and then the usual one again.
  const monday = card(page, titles[2]).first();
  await monday.click();
  await dialog.getByRole('button', { name: say.replace }).click();
  await dialog.getByRole('button', { name: titles[0] }).click();
  await expect(monday).toContainText(titles[0]);
  await monday.click();
  await dialog.getByRole('button', { name: say.restore }).click();
  await expect(monday).toContainText(titles[2]);

  // With the mouse: to another time, all of them.
  const bar = card(page, titles[1]).first();
  const box = (await bar.boundingBox())!;
  await page.mouse.move(box.x + 20, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + 22, box.y + 40, { steps: 4 });
  await page.mouse.move(box.x + 22, box.y + 10 + 52, { steps: 4 });
  await expect(page.getByText(say.dragging(titles[1], '7:00', ''), { exact: false })).toBeVisible();
  await page.mouse.up();
  await expect(dialog.getByLabel(say.moveTime)).toHaveValue('07:00');
  await dialog.getByLabel(say.moveAll).check();
  await answered(dialog);
  await dialog.getByRole('button', { name: say.moveNow, exact: true }).click();
  await expect(page.getByText(say.dones.moved(titles[1]))).toBeVisible();
  await expect(card(page, titles[1]).filter({ hasText: '7:00' })).toHaveCount(6);

  // A schedule is removed and put back with what was said of single occurrences.
  await row(page, titles[2]).getByRole('button', { name: say.removeNamed(titles[2]) }).click();
  await expect(card(page, titles[2])).toHaveCount(0);
  await page.getByRole('button', { name: say.undo }).click();
  await expect(card(page, titles[2])).toHaveCount(5);
  await expect(card(page, titles[2]).nth(1)).toContainText('9:15');
  await row(page, titles[2]).getByRole('button', { name: say.pauseNamed(titles[2]) }).click();
  await expect(row(page, titles[2]).getByText(say.paused, { exact: true }).first()).toBeVisible();

  await page.emulateMedia({ media: 'print' });
  await expect(page.getByRole('button', { name: say.after, exact: true })).toBeHidden();
  await expect(card(page, titles[2]).first()).toBeVisible();
  await page.screenshot({ path: 'test-results/screens/schedule-print.png', fullPage: true });
  await context.close();
});

test('what a receiver will play, and why it is silent, at any instant; from the week and from the receivers', async ({ browser, page: admin }) => {
  const [first] = [await daily('Lịch xã', '05:30')];
  await daily('Lịch xóm', '05:30', { target: { areas: [there.village], receivers: [] } });
  const { page, context } = await officer(browser);
  await page.getByRole('link', { name: say.receiverPlan }).click();
  const which = page.getByLabel(say.planWhich, { exact: true });
  await which.selectOption({ label: 'Đình làng Đông · Thôn Đông' });
  await expect(page.getByRole('heading', { name: say.planTitle('Đình làng Đông') })).toBeVisible();
  await expect(page.locator('[data-reason="nothing"]')).toBeVisible();
  await expect(page.locator('[data-fate="plays"]', { hasText: 'Lịch xã' }).first()).toBeVisible();
  await expect(page.locator('[data-fate="gives_way"]', { hasText: 'Lịch xóm' }).first()).toContainText('nhường “Lịch xã”');
  await menu(page, vi.menuSchedule).click();
  await page.getByRole('button', { name: say.after, exact: true }).click();
  await expect(card(page, 'Lịch xóm').first()).toContainText('nhường “Lịch xã”');
  await page.getByText(say.layers(2, 2)).click();
  await page.getByLabel('Xã Tân An (1)').uncheck();
  await expect(card(page, 'Lịch xã'), 'its layer is put away').toHaveCount(0);
  await expect(card(page, 'Lịch xóm')).toHaveCount(7);
  await page.goBack();

  const ask = async (time: string, reason: string) => {
    await page.getByLabel(say.whyAt).fill(`${tomorrow()}T${time}`);
    await page.getByRole('button', { name: say.whyAsk }).click();
    await expect(page.locator(`[data-reason="${reason}"]`)).toBeVisible();
  };
  await ask('05:30', 'plays');
  await api.call('put', `/api/v1/areas/${there.commune}/rules`, { rules: { hours: [{ from: '06:00', to: '21:00', volume: 80 }] } });
  await ask('05:30', 'hours');
  await bothSizes(page, (size) => looks(page, 'schedule-receiver', size));
  await page.setViewportSize({ width: 320, height: 640 });
  await fits(page, 'what a receiver will play');
  await api.call('put', `/api/v1/areas/${there.commune}/rules`, { rules: {} });
  await context.close();
  expect(first.title).toBe('Lịch xã');

  await admin.goto(`${office.url}/signin`);
  await admin.getByLabel(vi.username).fill(office.user);
  await admin.getByLabel(vi.password, { exact: true }).fill(office.password);
  await admin.getByRole('button', { name: vi.signIn, exact: true }).click();
  await menu(admin, vi.menuReceivers).click();
  await admin.getByLabel(vi.findReceiver).fill('Đình làng Đông');
  await admin.getByRole('link', { name: 'Đình làng Đông', exact: true }).click();
  await admin.getByRole('link', { name: more.willPlayNamed('Đình làng Đông') }).click();
  await expect(admin.getByRole('heading', { name: say.planTitle('Đình làng Đông') })).toBeVisible();
});

test('by the keyboard alone; a closed lid loses nothing; two people at one schedule are told the truth', async ({ browser }) => {
  const { page, context } = await officer(browser);
  const sentence = editor(page);
  await page.setViewportSize({ width: 320, height: 640 });
  const press = async (name: string) => {
    const button = page.getByRole('button', { name, exact: true });
    for (let n = 0; n < 60 && !(await button.evaluate((it) => it === document.activeElement).catch(() => false)); n++) await page.keyboard.press('Tab');
    await expect(button).toBeFocused();
    await page.keyboard.press('Enter');
  };
  await press(say.create);
  const bulletin = sentence.getByRole('button', { name: titles[1] });
  for (let n = 0; n < 20 && !(await bulletin.evaluate((it) => it === document.activeElement)); n++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const places = sentence.locator('[data-part="places"]');
  await expect(places, 'the next part that is missing').toBeFocused();
  await expect(places).toHaveAttribute('aria-expanded', 'true');
  const commune = sentence.getByLabel('Xã Tân An');
  for (let n = 0; n < 20 && !(await commune.evaluate((it) => it === document.activeElement)); n++) await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await answered(sentence);
  await fits(page, 'the editor at 320 pixels');
  await audit(page, 'the editor at 320 pixels');

  // The lid is closed: the sentence is there again.
  await page.reload();
  await expect(sentence.locator('[data-part="bulletin"]')).toHaveText(titles[1]);
  await expect(sentence.locator('[data-part="places"]')).toHaveText('Xã Tân An');
  await answered(sentence);
  await press(say.keep);
  await expect(sentence).toHaveCount(0);
  await expect(row(page, titles[1])).toBeVisible();
  await page.reload();
  await expect(row(page, titles[1])).toBeVisible();
  await expect(sentence, 'what is kept is no draft any more').toHaveCount(0);

  // Meanwhile somebody else changes it.
  await page.setViewportSize({ width: 1366, height: 768 });
  await row(page, titles[1]).getByRole('button', { name: say.editNamed(titles[1]) }).click();
  await sentence.getByLabel(say.parts.time).fill('06:40');
  await answered(sentence);
  const [mine] = await kept();
  const theirs = { title: titles[1], bulletin_id: ids[1], target: { areas: [there.commune], receivers: [] }, start: `${tomorrow()}T18:00:00`, rule: 'FREQ=DAILY' };
  await api.call('put', `/api/v1/schedules/${mine?.id}`, { ...theirs, version: mine?.version, despite_clashes: true });
  await answered(sentence);
  await sentence.getByRole('button', { name: say.keepChange }).click();
  await expect(sentence.locator('[data-conflict="changed"]')).toContainText('lúc 18:00 mọi ngày');
  await expect(sentence.getByLabel(say.parts.time), 'mine is still here').toHaveValue('06:40');
  await bothSizes(page, (size) => looks(page, 'schedule-conflict', size));
  await sentence.getByRole('button', { name: say.putMine }).click();
  await expect(sentence).toHaveCount(0);
  await expect(row(page, titles[1])).toContainText('lúc 6:40');
  await context.close();
});

test('out as iCalendar, and in again', async ({ browser }) => {
  await daily('Lịch mang đi', '07:30');
  const { page, context } = await officer(browser);
  await expect(row(page, 'Lịch mang đi')).toBeVisible();
  const file = page.waitForEvent('download');
  await page.getByRole('link', { name: say.share }).click();
  const path = await (await file).path();
  expect(readFileSync(path, 'utf8')).toContain('SUMMARY:Lịch mang đi');
  await page.getByRole('button', { name: say.takeIn }).click();
  const form = page.getByRole('form', { name: say.takeIn });
  await form.getByLabel(say.importFile).setInputFiles({ name: 'loa.ics', mimeType: 'text/calendar', buffer: readFileSync(path) });
  await form.getByLabel('Xã Tân An').check();
  await form.getByRole('button', { name: say.importNow }).click();
  await bothSizes(page, (size) => looks(page, 'schedule-import', size));
  await form.getByRole('button', { name: say.importDespite }).click();
  await expect(form.getByText(say.imported(1))).toBeVisible();
  await expect(row(page, 'Lịch mang đi')).toHaveCount(2);
  await context.close();
});

/** A dialog as it is now, in both themes: the page behind it cannot be reached, so neither can what chooses the language. */
async function inDialog(page: Page, screen: string, size: string) {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    const what = `${screen}-${size}-vi-${colorScheme}`;
    await fits(page, what);
    await page.screenshot({ path: `test-results/screens/${what}.png`, animations: 'disabled', scale: 'css' });
    await audit(page, what);
  }
}
