import { expect, it } from 'vitest';
import { titleOf } from './title';

it('proposes the file name as words', () => {
  expect(titleOf('Thông_báo__tiêm phòng.mp3')).toBe('Thông báo tiêm phòng');
  expect(titleOf('Bản tin 24.11.mp3')).toBe('Bản tin 24.11');
});
it('composes the marks that some systems decompose in file names', () => {
  expect(titleOf('Lũ về.MP3'.normalize('NFD'))).toBe('Lũ về');
});
it('leaves a name that is all extension', () => expect(titleOf('.mp3')).toBe('.mp3'));
