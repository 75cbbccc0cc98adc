import { expect, it } from 'vitest';
import { rank, readable, trouble } from './said';

it('since when a studio is taken is said as a clock says it', () => {
  const problem = { code: 'studio_taken', message: 'Lê Lan đang phát trực tiếp tại đây từ 2026-11-28T03:20:00Z. Hãy đợi.' };
  expect(readable(problem, (at) => `${at.getUTCHours()}:${at.getUTCMinutes()}`).message).toBe('Lê Lan đang phát trực tiếp tại đây từ 3:20. Hãy đợi.');
});
it('an emergency goes before what has priority', () => expect(['emergency', 'normal', 'priority'].map((one) => rank(one as 'normal'))).toEqual([2, 0, 1]));
it('a trouble is a word and the rest', () => {
  expect(trouble('silent')).toEqual({ word: 'silent', detail: '' });
  expect(trouble('gone: HTTP 404: not there')).toEqual({ word: 'gone', detail: 'HTTP 404: not there' });
});
