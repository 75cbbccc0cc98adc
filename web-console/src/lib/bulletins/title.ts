// A first proposal for a bulletin's title. Pure; the officer has the last word.

/** A file's name without folder and extension, as words, composed (NFC): `thong_bao-tiem phong.mp3` → `thong bao-tiem phong`. */
export function titleOf(fileName: string): string {
  const name = fileName.replace(/\.[A-Za-z0-9]{1,5}$/, '') || fileName;
  return name.replaceAll('_', ' ').replace(/\s+/g, ' ').trim().normalize('NFC');
}
