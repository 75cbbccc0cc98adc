// What is asked of the server about when sound is allowed: an area's rules, rules to begin with, leave to go past them; and schedules.
import { ask } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
/** What is absent is not said. */
export type Rules = Partial<Schemas['Rules']>;
export type Hours = Schemas['Hours'];
export type Season = Schemas['Season'];
export type AreaRules = Schemas['AreaRules'];
export type Preset = Schemas['PresetShape'];
export type Override = Schemas['OverrideShape'];
export type Schedule = Schemas['ScheduleShape'];

const rules = (area: string) => `/api/v1/areas/${encodeURIComponent(area)}/rules`;
const leave = (id: string) => `/api/v1/overrides/${encodeURIComponent(id)}`;

export const rulesOf = (area: string) => ask<AreaRules>('get', rules(area));
/** `zone` absent: that of the area above. */
export const setRules = (area: string, body: { rules: Rules; zone?: string }) => ask<AreaRules>('put', rules(area), body);
export const presets = () => ask<Preset[]>('get', '/api/v1/rules/presets');
export const overrides = () => ask<Override[]>('get', '/api/v1/overrides');
export const askOverride = (body: { area_id: string; reason: string; expires_at: string }) => ask<Override>('post', '/api/v1/overrides', body);
export const approveOverride = (id: string) => ask<Override>('post', `${leave(id)}/approve`);
export const withdrawOverride = (id: string) => ask<Override>('post', `${leave(id)}/withdraw`);
export const schedules = () => ask<Schedule[]>('get', '/api/v1/schedules');
