// The console's letters at the size of a slow line: each face of src/fonts.css as @fontsource has it, without hints for the screens
// of twenty years ago and the features that nobody turns on. No letter is left out. Run by the build (vite.config.ts).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import subset from 'subset-font';
import type { Plugin } from 'vite';

/** Marks where they belong on their letters, letters of one language, pairs that must not collide, figures of one width. */
const FEATURES = ['ccmp', 'locl', 'mark', 'mkmk', 'kern', 'tnum'];
const FACE = /fonts\/(?<name>[a-z]+-\d+)\.woff2[^}]*unicode-range: (?<ranges>[^;]+);/g;

export function fonts(): Plugin {
  return {
    name: 'loa-fonts',
    async config() {
      await mkdir('.svelte-kit/fonts', { recursive: true });
      for (const { groups } of (await readFile('src/fonts.css', 'utf8')).matchAll(FACE)) {
        const { name = '', ranges = '' } = groups ?? {};
        const whole = await readFile(`node_modules/@fontsource/be-vietnam-pro/files/be-vietnam-pro-${name}-normal.woff2`);
        const small = await subset(whole, letters(ranges), { targetFormat: 'woff2', noHinting: true, keepFeatures: FEATURES });
        await writeFile(`.svelte-kit/fonts/${name}.woff2`, small);
      }
    }
  };
}

/** `U+0041-0043,U+20AB` as the letters themselves. */
function letters(ranges: string): string {
  return ranges
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.replace('U+', '').split('-').map((code) => Number.parseInt(code, 16));
      return Array.from({ length: last - first + 1 }, (_, n) => String.fromCodePoint(first + n));
    })
    .join('');
}
