import { describe, expect, it } from 'vitest';
import { claimCode } from './claim';

describe('a claim code', () => {
  it('is read as typed, in any case and grouping', () => {
    expect(claimCode(' 7k3m 9xpt-abcd0123 ')).toBe('7K3M-9XPT-ABCD-0123');
  });
  it('is read as scanned', () => expect(claimCode('loa:claim:7K3M-9XPT-ABCD-0123')).toBe('7K3M-9XPT-ABCD-0123'));
  it('takes letters that look like digits for those', () => expect(claimCode('oOiI-lL00-0000-0000')).toBe('0011-1100-0000-0000'));
  it('of another length, or with a letter that is not used, is none', () => {
    for (const wrong of ['', '7K3M-9XPT-ABCD', '7K3M-9XPT-ABCD-012U', 'https://example.org/7K3M9XPTABCD']) expect(claimCode(wrong), wrong).toBeNull();
  });
});
