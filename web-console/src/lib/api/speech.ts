// What is asked of the server about typed bulletins: how a text sounds, and making a bulletin of it.
import { ask, type Bulletin, type Class } from './client';

/** A stretch of text in one language. */
export type Part = { language: string; text: string };
export type Heard = { parts: { language: string; said?: string }[]; duration_ms: number; audio: string };

const where = (area: string) => (area === '' ? {} : { area_id: area });

export const preview = (parts: Part[], area: string) => ask<Heard>('post', '/api/v1/speech/preview', { parts, ...where(area) });
export const typed = (title: string, kind: Class, parts: Part[], area: string) =>
  ask<Bulletin>('post', '/api/v1/bulletins/speech', { title, class: kind, parts, ...where(area) });
