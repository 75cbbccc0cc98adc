import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RIGHTS, ROLES, allRights, may, mayEverywhere, maySomewhere, rightsOf, type Grant } from './rights';

/** The Rust source of the server's own table. */
const server = readFileSync(new URL('../../../../server/src/authority/mod.rs', import.meta.url), 'utf8');

describe('the table', () => {
  it('is the server’s', () => {
    const body = /pub fn rights\(self\)[\s\S]*?match self \{([\s\S]*?)\n {8}\}/.exec(server)?.[1] ?? '';
    const arms = [...body.matchAll(/Self::(\w+) => &\[([\w, ]+)\]/g)];
    const told = Object.fromEntries(arms.map(([, role = '', rights = '']) => [role.toLowerCase(), rights.toLowerCase().split(', ')]));
    expect(Object.keys(told)).toEqual([...ROLES]);
    for (const role of ROLES) expect(rightsOf(role), role).toEqual(told[role]);
  });
  it('knows every right that the server knows', () => {
    const names = [...server.matchAll(/Self::\w+ => "(\w+)"/g)].map(([, name]) => name);
    expect(names).toEqual([...ROLES, ...RIGHTS]);
  });
});

const [province, commune, village, other] = ['tỉnh', 'xã', 'thôn', 'xã khác'];
const paths: Record<string, string[]> = {
  [province]: [province],
  [commune]: [province, commune],
  [village]: [province, commune, village],
  [other]: [province, other]
};
const path = (area: string) => paths[area] ?? [];
const officer: Grant[] = [{ role: 'officer', area_id: commune }];
const root: Grant[] = [{ role: 'administrator' }];
const manager: Grant[] = [{ role: 'administrator', area_id: commune }];

describe('a grant', () => {
  it('holds in its area and below, not above and not beside', () => {
    const where = [commune, village, province, other].map((area) => may(officer, 'broadcast', path(area)));
    expect(where).toEqual([true, true, false, false]);
  });
  it('gives only what its role may do', () => {
    expect(may(officer, 'approve', path(commune))).toBe(false);
    expect(allRights(officer)).toEqual(['see', 'compose', 'broadcast']);
  });
  it('without an area holds everywhere, also for what lies in none', () => {
    expect(may(root, 'people', path(other))).toBe(true);
    expect([mayEverywhere(root, 'people'), mayEverywhere(manager, 'people'), maySomewhere(manager, 'people')]).toEqual([true, false, true]);
  });
  it('of a role that is not known gives nothing', () => {
    expect(maySomewhere([{ role: 'king' }], 'see')).toBe(false);
  });
});
