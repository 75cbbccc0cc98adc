// Approval and inboxes: what waits for somebody, what came from above, and what is answered.
import { ask, type Bulletin } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Inbox = Schemas['Inbox'];
export type Waiting = Schemas['Waiting'];
export type Delivery = Schemas['Delivery'];
export type Rivals = Schemas['Rivals'];
export type Rival = Schemas['Rival'];

const bulletin = (id: string) => `/api/v1/bulletins/${encodeURIComponent(id)}`;
const delivery = (id: string) => `/api/v1/inbox/${encodeURIComponent(id)}`;

export const inbox = () => ask<Inbox>('get', '/api/v1/inbox');
export const submit = (id: string) => ask<Bulletin>('post', `${bulletin(id)}/submit`);
/** Refuses, or withdraws approval. */
export const refuse = (id: string, reason: string) => ask<Bulletin>('post', `${bulletin(id)}/refuse`, { reason });
export const send = (id: string, body: Schemas['NewSending']) => ask<Delivery[]>('post', `${bulletin(id)}/send`, body);
export const deliveries = (id: string) => ask<Delivery[]>('get', `${bulletin(id)}/deliveries`);
export const acceptDelivery = (id: string) => ask<Delivery>('post', `${delivery(id)}/accept`);
export const refuseDelivery = (id: string, reason: string) => ask<Delivery>('post', `${delivery(id)}/refuse`, { reason });
/** Priority from above that meets the area's own, within the next 31 days. */
export const rivals = (area_id: string) => ask<Rivals[]>('get', '/api/v1/inbox/rivals', undefined, { area_id });
/** Moves the second one: it begins when the first one ends. */
export const order = (first: string, second: string) => ask<{ start: string }>('post', '/api/v1/inbox/order', { first, second });
