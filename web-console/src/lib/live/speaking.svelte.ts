// Straight to the air: the studio taken, the line to it kept as long as the server waits, and why it is over.
// Not here: the microphone itself (listening), what a page shows.
import { problemOf, serverNow, stop, type Broadcast } from '../api/client';
import { live } from '../api/events.svelte';
import { Line, speak, type NewMicrophone, type Standing } from '../api/live';
import type { Problem } from '../words/errors';
import { FRAME } from './frames';
import { Listening } from './listening.svelte';

export type Phase = 'idle' | 'starting' | 'waiting' | 'on_air' | 'lost' | 'over';
/** Why it is over: ended here, by somebody else, after silence, the line gone for too long, as long as it may be, taken up elsewhere. */
export type Ending = 'here' | 'stopped' | 'silence' | 'gone' | 'longest' | 'elsewhere' | 'failed';

/** So long the server keeps the studio for who is gone, in milliseconds; and how often the line is tried meanwhile. */
export const KEPT = 15_000;
const RETRY = 700;
/** How long the chime rings, over what is said. */
const CHIME = 1_800;
/** Who closes the page and comes back, within `KEPT`, is asked whether to go on. */
const MEMORY = 'loa.speaking';
const QUIET = new Int16Array(FRAME);

class Speaking {
  readonly listening = new Listening();
  phase = $state<Phase>('idle');
  broadcast = $state.raw<Broadcast | null>(null);
  problem = $state<Problem | null>(null);
  muted = $state(false);
  /** When the line was lost, and when sound was last left out because the line is slow; 0: it was not. */
  lostAt = $state(0);
  slowAt = $state(0);
  ending = $state<Ending | null>(null);
  #chimes = $state(false);
  #line: Line | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** It was ended here. */
  #asked = false;
  #lock: { release: () => Promise<void> } | undefined;

  /** Somebody may hear what is said here, or would. */
  get running(): boolean {
    return ['starting', 'waiting', 'on_air', 'lost'].includes(this.phase);
  }

  /** Until when the chime rings, in milliseconds of the epoch. */
  get chimeUntil(): number {
    return this.broadcast === null || !this.#chimes ? 0 : Date.parse(this.broadcast.start) + CHIME;
  }

  listen(): Promise<boolean> {
    return this.listening.start((frame) => this.#hear(frame));
  }

  async start(body: NewMicrophone) {
    [this.phase, this.problem, this.muted, this.#chimes] = ['starting', null, false, body.chime];
    try {
      const broadcast = await speak(body);
      live.tell({ broadcast });
      this.#take(broadcast);
    } catch (error) {
      [this.phase, this.problem] = ['idle', problemOf(error)];
    }
  }

  /** What this browser was speaking in when the page was closed, if it is still on the air. */
  get left(): Broadcast | undefined {
    const id = memory.get();
    const found = id === null || this.running ? undefined : live.broadcasts.get(id);
    return found !== undefined && goesOn(found) ? found : undefined;
  }

  async resume(broadcast: Broadcast) {
    if (this.listening.state !== 'on' && !(await this.listen())) return;
    [this.problem, this.muted, this.#chimes] = [null, false, false];
    this.#take(broadcast);
  }

  /** Ends it: what was said still sounds, if the server can be told by the line. */
  /** Ends it: what was said still sounds, if the server can be told by the line. */
  async end() {
    this.#asked = true;
    this.problem = null;
    if (this.#line?.end() === true) {
      this.listening.stop();
      return;
    }
    try {
      if (this.broadcast !== null) live.tell({ broadcast: await stop(this.broadcast.id) });
      this.#over();
    } catch (error) {
      [this.problem, this.#asked] = [problemOf(error), false];
    }
  }

  /** What the server tells of the broadcast unasked. */
  told(now: Broadcast | undefined) {
    if (this.running && this.phase !== 'starting' && now !== undefined && !goesOn(now)) this.#over(now);
  }

  /** Back to the beginning. */
  again() {
    [this.phase, this.ending, this.broadcast, this.problem] = ['idle', null, null, null];
  }

  #take(broadcast: Broadcast) {
    [this.broadcast, this.phase, this.ending, this.#asked] = [broadcast, 'waiting', null, false];
    [this.lostAt, this.slowAt] = [0, 0];
    memory.set(broadcast.id);
    void this.#stayAwake();
    this.#plug(broadcast.id);
  }

  #plug(id: string) {
    this.#line?.close();
    this.#line = new Line(id, { stands: (standing) => this.#stands(standing), shut: (why) => this.#shut(id, why) });
  }

  #stands(standing: Standing) {
    this.lostAt = 0;
    if (standing === 'over') this.#over();
    else this.phase = standing;
  }

  #shut(id: string, why: string) {
    if (why === 'over' || this.#asked) return this.#over();
    if (why === 'another line') return this.#over(undefined, 'elsewhere');
    if (this.lostAt === 0) this.lostAt = Date.now();
    this.phase = 'lost';
    clearTimeout(this.#retry);
    if (Date.now() - this.lostAt < KEPT) {
      this.#retry = setTimeout(() => this.phase === 'lost' && this.#plug(id), RETRY);
      return;
    }
    // By now the server has let the studio go; if it has not, nobody is to believe that somebody speaks.
    void stop(id).then((broadcast) => live.tell({ broadcast }), () => undefined);
    this.#over(undefined, 'gone');
  }

  #hear(frame: Int16Array<ArrayBuffer>) {
    if (this.#line === undefined || !this.running) return;
    if (!this.#line.send(this.muted ? QUIET : frame) && this.phase === 'on_air') this.slowAt = Date.now();
  }

  #over(now: Broadcast | undefined = live.broadcasts.get(this.broadcast?.id ?? ''), why?: Ending) {
    this.ending = why ?? this.#why(now);
    this.phase = 'over';
    clearTimeout(this.#retry);
    this.#line?.close();
    this.#line = undefined;
    this.listening.stop();
    memory.set(null);
    void this.#lock?.release().catch(() => undefined);
    this.#lock = undefined;
  }

  #why(now: Broadcast | undefined): Ending {
    if (this.#asked) return 'here';
    if (now?.state === 'stopped' || now?.state === 'failed') return now.state;
    if (this.phase === 'lost') return 'gone';
    return this.broadcast !== null && serverNow() > Date.parse(this.broadcast.end) - 3_000 ? 'longest' : 'silence';
  }

  /** A phone that goes dark takes the microphone away. */
  async #stayAwake() {
    const wake = (navigator as { wakeLock?: { request: (kind: 'screen') => Promise<{ release: () => Promise<void> }> } }).wakeLock;
    this.#lock = await wake?.request('screen').catch(() => undefined);
  }
}

const goesOn = ({ state }: Broadcast): boolean => state === 'scheduled' || state === 'on_air';

const memory = {
  get(): string | null {
    try {
      return sessionStorage.getItem(MEMORY);
    } catch {
      return null; // storage may be forbidden: whoever comes back begins anew
    }
  },
  set(id: string | null) {
    try {
      if (id === null) sessionStorage.removeItem(MEMORY);
      else sessionStorage.setItem(MEMORY, id);
    } catch {
      // as above
    }
  }
};

export const speaking = new Speaking();
