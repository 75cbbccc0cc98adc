// What an entry of the record changed, as lines that people read. Pure.
import type { Area, Receiver } from '../api/client';
import { plain } from '../people/plain';
import type { Grant } from '../people/rights';
import type { More } from '../words/more/vi';

type Names = { areas: ReadonlyMap<string, Area>; receivers: ReadonlyMap<string, Receiver> };
export type Line = { field: string; before?: string; after?: string };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON that came as text is read; what is none stays as it is. */
function read(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** One value in words: areas and receivers by their names, roles as sentences. */
function word(field: string, value: unknown, names: Names, more: More): string {
  if (value === null || value === undefined) return more.nothing;
  if (typeof value === 'boolean') return value ? more.yes : more.no;
  if (Array.isArray(value)) return value.length === 0 ? more.nothing : value.map((one) => word(field, one, names, more)).join('; ');
  if (isRecord(value)) {
    if (typeof value.role === 'string') return plain(value as Grant, names.areas, more);
    return Object.entries(value)
      .map(([key, inner]) => `${more.fields[key] ?? key}: ${word(key, inner, names, more)}`)
      .join(', ');
  }
  const text = String(value);
  const grant = /^([a-z]+) (?:everywhere|in ([0-9a-f-]{36}))$/.exec(text);
  if (grant?.[1] !== undefined) return plain({ role: grant[1], ...(grant[2] === undefined ? {} : { area_id: grant[2] }) }, names.areas, more);
  const known = field === 'kind' || field === 'by' ? more.values[text] : undefined;
  return known ?? names.areas.get(text)?.name ?? names.receivers.get(text)?.name ?? text;
}

/** A text in which identifiers are, with the names of what they stand for. */
export function withNames(text: string, names: Names): string {
  return text.replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => names.areas.get(id)?.name ?? names.receivers.get(id)?.name ?? id);
}

/** What was and what became, field by field; fields that stayed the same are left out. */
export function lines(before: unknown, after: unknown, names: Names, more: More): Line[] {
  const [was, is] = [read(before), read(after)];
  if (was === undefined && is === undefined) return [];
  if (!isRecord(was ?? is) || !isRecord(is ?? was)) {
    return [{ field: '', ...(was === undefined ? {} : { before: word('', was, names, more) }), ...(is === undefined ? {} : { after: word('', is, names, more) }) }];
  }
  const [old, fresh] = [(was ?? {}) as Record<string, unknown>, (is ?? {}) as Record<string, unknown>];
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    // What is new and nothing says nothing.
    .filter((key) => JSON.stringify(old[key] ?? null) !== JSON.stringify(fresh[key] ?? null))
    .map((key) => ({
      field: more.fields[key] ?? key,
      ...(key in old ? { before: word(key, old[key], names, more) } : {}),
      ...(key in fresh ? { after: word(key, fresh[key], names, more) } : {})
    }));
}
