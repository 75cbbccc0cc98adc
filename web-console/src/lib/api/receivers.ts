// What those who look after receivers ask of the server.
import { ask, type Receipt, type Receiver } from './client';
import type { components } from './schema';

/** A device that asks to be taken in. `code` is the first four signs of its code alone: the rest stands on the device. */
export type Claim = { id: string; code: string; board: string; firmware: string; first_seen_at: string; last_seen_at: string; origin?: string };
/** A receiver with what the life of its keys adds. */
export type Kept = Receiver & { revoked_at?: string; warnings?: string[]; key_number?: number; rotating?: boolean };
export type Stretch = components['schemas']['StretchShape'];
export type History = components['schemas']['History'];
export type Enrolled = { receiver: Receiver; enrolment: string };
export type Approval = { name: string; area_id: string; volume?: number } | { replaces: string };

const at = (id: string) => `/api/v1/receivers/${encodeURIComponent(id)}`;
const claim = (code: string) => `/api/v1/claims/${encodeURIComponent(code)}`;

export const approveClaim = (code: string, approval: Approval) => ask<Receiver>('post', `${claim(code)}/approve`, approval);
/** Takes a device off the list, by its name there; it stays away for minutes. */
export const dropClaim = (id: string) => ask<void>('delete', claim(id));

export const changeReceiver = (id: string, change: { name?: string; area_id?: string; volume?: number; latitude?: number; longitude?: number }) => ask<Receiver>('patch', at(id), change);
/** A new secret for a receiver, in a file for its flash: for hardware that takes its place, or has lost what it knew. */
export const reenrol = (id: string) => ask<Enrolled>('post', `${at(id)}/enrolment`, {});
export const revoke = (id: string) => ask<Receiver>('post', `${at(id)}/revoke`);
export const rotate = (id: string) => ask<void>('post', `${at(id)}/rotate`);
/** A receiver that is to be given its enrolment as a file. */
export const enrol = (name: string, area_id: string) => ask<Enrolled>('post', '/api/v1/receivers', { name, area_id });
/** Starts it afresh; it must be connected. */
export const reboot = (id: string) => ask<Receiver>('post', `${at(id)}/reboot`);
/** How it was from then until now. */
export const receiverHistory = (id: string, from: Date) => ask<History>('get', `${at(id)}/history`, undefined, { from: from.toISOString() });
/** What became of a broadcast at this receiver; nothing if it was not meant. */
export const receiptAt = async (broadcast: string, receiver_id: string) =>
  (await ask<Receipt[]>('get', `/api/v1/broadcasts/${encodeURIComponent(broadcast)}/receipts`, undefined, { receiver_id }))[0];
