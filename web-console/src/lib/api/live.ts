// Speaking live and relaying, asked of the server; and the line that a voice goes by. Not here: the microphone.
import { ask, type Broadcast, type Class, type Target } from './client';

export type Standing = 'waiting' | 'on_air' | 'over';
export type NewMicrophone = { title: string; class: Class; target: Target; chime: boolean };
export type NewRelay = { url: string; title: string; class: Class; until: string; fallback_bulletin_ids: string[] };

/** Takes the studio of those places. */
export const speak = (body: NewMicrophone) => ask<Broadcast>('post', '/api/v1/live', body);
/** Relays another station; without `start` from now on. */
export const relay = (relay: NewRelay, target: Target, start?: string) => ask<Broadcast>('post', '/api/v1/broadcasts', { relay, target, ...(start === undefined ? {} : { start }) });

/** Bytes under way at most, half a second: what comes on top is left out, since a voice that lags is worse than one with a gap. */
const MOST = 48_000;
/** So long no room: the line is dead, though nobody has said so. In milliseconds. */
const STUCK = 2_500;

type Told = { stands: (standing: Standing) => void; /** It is shut, for this reason of the server's; of a line that broke it is empty. */ shut: (why: string) => void };

/** A WebSocket to the studio. */
export class Line {
  readonly #socket: WebSocket;
  readonly #told: Told;
  #open = true;
  /** Since when there has been no room. */
  #full = 0;

  constructor(id: string, told: Told) {
    this.#told = told;
    this.#socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/v1/live/${encodeURIComponent(id)}/sound`);
    this.#socket.onmessage = ({ data }: MessageEvent<string>) => this.#open && told.stands((JSON.parse(data) as { state: Standing }).state);
    this.#socket.onclose = ({ reason }) => this.#shut(reason);
    // That the network is gone a socket notices after minutes.
    addEventListener('offline', this.#gone);
  }

  /** Sends 20 ms of sound; `false`: there was no room for it. */
  send(frame: Int16Array<ArrayBuffer>): boolean {
    if (!this.#open || this.#socket.readyState !== WebSocket.OPEN) return false;
    if (this.#socket.bufferedAmount <= MOST) {
      this.#full = 0;
      this.#socket.send(frame);
      return true;
    }
    if (this.#full === 0) this.#full = Date.now();
    else if (Date.now() - this.#full > STUCK) this.#gone();
    return false;
  }

  /** No more comes; the server says when all of it has sounded. `false`: it cannot be told. */
  end(): boolean {
    if (!this.#open || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send('end');
    return true;
  }

  /** Hangs up, and says nothing any more. */
  close() {
    this.#open = false;
    removeEventListener('offline', this.#gone);
    this.#socket.close();
  }

  readonly #gone = () => this.#shut('');

  #shut(why: string) {
    if (!this.#open) return;
    this.close();
    this.#told.shut(why);
  }
}
