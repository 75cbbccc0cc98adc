// The code by which a receiver is claimed: what people type or scan, as the server knows it. Pure.

/** Crockford's base 32 without the letters that look like digits. */
const LETTERS = /^[0-9A-HJKMNP-TV-Z]{16}$/;

/**
 * `XXXX-XXXX-XXXX-XXXX` from what was typed or scanned (`loa:claim:…`), in whatever case and grouping, with letters that
 * look like digits read as those; null if it is no claim code.
 */
export function claimCode(typed: string): string | null {
  const bare = typed
    .trim()
    .replace(/^loa:claim:/i, '')
    .replace(/[\s-]/g, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  return LETTERS.test(bare) ? (bare.match(/.{4}/g) ?? []).join('-') : null;
}
