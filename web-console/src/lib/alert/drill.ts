// A drill's one way to make a sound: a text that is made for drills, in a class that interrupts nothing as an emergency does. Pure
// but for that. Nothing else of a drill speaks to the server, and nothing here can broadcast an emergency.
import type { Broadcast, Bulletin, Target } from '../api/client';
import { forDrills, ready } from './tiles';

/** Whether a drill may sound it. */
export const soundable = (bulletin: Bulletin, now: number) => ready(bulletin, now) && bulletin.class !== 'emergency' && forDrills(bulletin);

type Send = (bulletin: string, target: Target) => Promise<Broadcast>;

/** Sends a drill's text; whatever else it is given, it refuses. */
export function sound(bulletin: Bulletin, target: Target, now: number, send: Send): Promise<Broadcast> {
  if (!soundable(bulletin, now)) throw new Error(`not a text for drills: ${bulletin.title}`);
  return send(bulletin.id, target);
}
