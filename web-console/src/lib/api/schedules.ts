// Schedules: kept, changed once or for good, foreseen; what a receiver will play, and why it is silent.
import { ask } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Schedule = Schemas['ScheduleShape'];
export type NewSchedule = Schemas['NewSchedule'];
export type Once = Omit<Schemas['OneOccurrence'], 'version'>;
export type Forecast = Schemas['Forecast'];
export type Clash = Schemas['Clash'];
export type Piece = Schemas['PieceShape'];
export type Reason = Schemas['Reason'];
export type Leave = Schemas['OverrideShape'];
export type Import = Schemas['Import'];

const all = '/api/v1/schedules';
const path = (id: string) => `${all}/${encodeURIComponent(id)}`;
const receiver = (id: string) => `/api/v1/receivers/${encodeURIComponent(id)}`;

export const list = () => ask<Schedule[]>('get', all);
export const add = (it: NewSchedule) => ask<Schedule>('post', all, it);
/** What would come of it, in the place of a schedule or beside all; nothing is kept. */
export const check = (it: NewSchedule, instead_of?: string) => ask<Forecast>('post', `${all}/check`, it, { instead_of });
export const change = (id: string, it: NewSchedule) => ask<Schedule>('put', path(id), it);
/** Drops, moves or replaces one occurrence; with nothing said of it, it is as the rule has it again. */
export const once = (id: string, version: number, it: Once) => ask<Schedule>('post', `${path(id)}/once`, { ...it, version });
export const remove = (id: string) => ask<undefined>('delete', path(id));
export const takeIn = (it: Import) => ask<{ schedules: Schedule[] }>('post', `${all}/import`, it);
/** Where a browser finds all schedules that one sees, for a calendar program. */
export const CALENDAR = `${all}.ics`;
/** Leave to go past hours and minutes. */
export const leaves = () => ask<Leave[]>('get', '/api/v1/overrides');

/** What a receiver plays from `from` on, for `days` days; by the rule that the receiver itself goes by. */
export const plan = (id: string, from: number, days: number) =>
  ask<Piece[]>('get', `${receiver(id)}/plan`, undefined, { from: new Date(from).toISOString(), days });
export const why = (id: string, at: number) => ask<Reason>('get', `${receiver(id)}/why`, undefined, { at: new Date(at).toISOString() });
