// What is no sound is refused, with the reason next to the form, and what was filled in is kept.
import { expect, test } from '@playwright/test';
import { bulletin, looks, openUpload, section, signIn, titled, vi } from './console';

const text = { name: 'thong_bao.mp3', mimeType: 'audio/mpeg', buffer: Buffer.from('Đây là văn bản, không phải âm thanh.\n'.repeat(200)) };
const empty = { name: 'rong.mp3', mimeType: 'audio/mpeg', buffer: Buffer.alloc(0) };

for (const { what, file } of [
  { what: 'a text file named .mp3', file: text },
  { what: 'an empty file', file: empty }
])
  test(`${what} is refused with the reason`, async ({ page }, { project }) => {
    await signIn(page);
    await openUpload(page);
    await page.getByLabel(vi.file).setInputFiles(file);
    const title = titled('Không phải âm thanh');
    await expect(page.getByLabel(vi.title)).not.toHaveValue(''); // proposed from the file's name
    await page.getByLabel(vi.title).fill(title);
    await page.getByRole('button', { name: vi.upload, exact: true }).click();
    const refusal = section(page, vi.bulletins).getByRole('alert');
    await expect(refusal).toContainText(vi.uploadFailed);
    await expect(refusal).toContainText(vi.uploadKept);
    // A reason is a sentence of its own: more than that it failed, and not a bare code.
    const reason = (await refusal.innerText()).replace(`${vi.uploadFailed}.`, '').replace(vi.uploadKept, '').trim();
    expect(reason, 'the reason').toMatch(/\S \S/);
    await expect(page.getByLabel(vi.title)).toHaveValue(title);
    await expect(bulletin(page, title)).toHaveCount(0);
    await looks(page, `upload-refused-${file.name.replace('.mp3', '')}`, project.name);
  });
