// Who may do what, where: the table and the rules of the server (server/src/authority), so that only what one may do is offered.
// Pure. The server stays the judge: whatever is asked for here, it checks again.

export const ROLES = ['officer', 'approver', 'administrator', 'technician', 'auditor'] as const;
export type Role = (typeof ROLES)[number];
export const RIGHTS = ['see', 'compose', 'broadcast', 'approve', 'emergency', 'receivers', 'areas', 'people', 'record'] as const;
export type Right = (typeof RIGHTS)[number];

/** A role in an area and everywhere below it; without an area: everywhere. */
export type Grant = { role: string; area_id?: string };

const table: Record<Role, readonly Right[]> = {
  officer: ['see', 'compose', 'broadcast'],
  approver: ['see', 'compose', 'broadcast', 'approve', 'emergency'],
  administrator: ['see', 'receivers', 'areas', 'people', 'record'],
  technician: ['see', 'receivers'],
  auditor: ['see', 'record']
};

/** What a role may do; nothing for a role that this console does not know. */
export const rightsOf = (role: string): readonly Right[] => table[role as Role] ?? [];

/** Whether `grants` allow `right` for what lies at `path` (areas from the root down to its own; empty: in none). */
export function may(grants: readonly Grant[], right: Right, path: readonly string[]): boolean {
  return grants.some(({ role, area_id }) => rightsOf(role).includes(right) && (area_id === undefined || path.includes(area_id)));
}

/** Whether `right` holds in every area and for what lies in none. */
export const mayEverywhere = (grants: readonly Grant[], right: Right): boolean => may(grants, right, []);

/** Whether `right` holds anywhere at all. */
export const maySomewhere = (grants: readonly Grant[], right: Right): boolean => grants.some(({ role }) => rightsOf(role).includes(right));

/** The rights that hold anywhere at all: what a program that acts for these grants can be given. */
export const allRights = (grants: readonly Grant[]): Right[] => RIGHTS.filter((right) => maySomewhere(grants, right));
