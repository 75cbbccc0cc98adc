// Whether an area goes by what somebody looks for: its name or code, or one that it had, marks or not. Pure.
import type { Area } from '../api/client';

const plain = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[đĐ]/g, 'd')
    .toLowerCase();

export function found({ name, code, former }: Pick<Area, 'name' | 'code' | 'former'>, wanted: string): boolean {
  const all = [{ name, code }, ...former].flatMap((one) => [one.name, one.code ?? '']);
  return all.some((text) => plain(text).includes(plain(wanted.trim())));
}
