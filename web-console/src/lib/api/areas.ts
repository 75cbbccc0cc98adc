// What is asked of the server about areas: adding, changing, moving and merging them. They come by the events, as all others.
import { ask, type Area } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type NewArea = Schemas['NewArea'];
export type AreaChange = Schemas['AreaChange'];

export const addArea = (body: NewArea) => ask<Area>('post', '/api/v1/areas', body);
export const changeArea = (id: string, body: AreaChange) => ask<Area>('patch', `/api/v1/areas/${encodeURIComponent(id)}`, body);
export const mergeAreas = (area: NewArea, area_ids: string[]) => ask<Area>('post', '/api/v1/areas/merge', { area, area_ids });
