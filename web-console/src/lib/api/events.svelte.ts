// What the server tells unasked: one EventSource a tab, and the latest state of every thing it spoke of.
// Says truthfully when it hears nothing: the connection counts as lost when the stream breaks, when the browser is off the
// network, or when a silent stream's server no longer answers its health page. Not here: requests (client.ts).
import { SvelteMap } from 'svelte/reactivity';
import type { Area, Broadcast, Bulletin, Receiver, Session, Snapshot } from './client';
import * as client from './client';
import type { Claim } from './receivers';

type Connection = 'connecting' | 'live' | 'lost';

/** How long a stream may be silent before we ask whether the server is there, and how long that question may take. */
const SILENCE = 10_000;
const PATIENCE = 5_000;
/** Pauses between attempts after the stream broke. */
const RETRY = [500, 1_000, 2_000, 5_000];

class Live {
  connection = $state<Connection>('connecting');
  /** When we last knew the server to be there; what is shown dates from then. */
  heardAt = $state<Date | null>(null);
  /** The server ended our session: the page must ask to sign in again. */
  signedOut = $state(false);
  /** Who is signed in, and what they were granted. */
  session = $state<Session | null>(null);
  /** True once the first whole state has come. */
  ready = $state(false);
  /** Devices that ask to be taken in; told to who may do that. */
  claims = $state.raw<Claim[]>([]);
  /** Rises whenever something in inboxes has changed: who shows one asks for it. */
  inboxes = $state(0);
  /** Rises whenever playlists have changed: who shows them asks anew. */
  playlists = $state(0);
  /** Rises when schedules have changed, or may have: who shows them asks. */
  schedules = $state(0);
  readonly areas = new SvelteMap<string, Area>();
  readonly receivers = new SvelteMap<string, Receiver>();
  readonly broadcasts = new SvelteMap<string, Broadcast>();
  readonly bulletins = new SvelteMap<string, Bulletin>();

  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #attempt = 0;

  /** Begins listening; the answer ends it. */
  start(): () => void {
    this.signedOut = false;
    this.#open();
    this.#watch = setInterval(() => void this.#checkSilence(), SILENCE / 2);
    const back = () => this.#reopenSoon(0);
    const gone = () => this.#lose();
    addEventListener('online', back);
    addEventListener('offline', gone);
    return () => {
      removeEventListener('online', back);
      removeEventListener('offline', gone);
      clearInterval(this.#watch);
      clearTimeout(this.#retry);
      this.#source?.close();
      this.#source = null;
      this.connection = 'connecting';
      this.ready = false;
    };
  }

  #open() {
    this.#source?.close();
    const source = new EventSource('/api/v1/events');
    this.#source = source;
    const on = (name: string, take: (value: never) => void) =>
      source.addEventListener(name, (event) => {
        this.#heard();
        take(JSON.parse((event as MessageEvent<string>).data) as never);
      });
    source.onopen = () => this.#heard();
    source.onerror = () => this.#broke(source);
    on('claims', (all: Claim[]) => (this.claims = all));
    on('schedules', () => (this.schedules += 1));
    on('snapshot', (whole: Snapshot & { claims?: Claim[] }) => {
      // Another one means that much has changed, perhaps what one may do.
      if (this.ready) void this.refresh().catch(() => undefined);
      this.#replace(whole);
      this.playlists++;
      this.claims = whole.claims ?? [];
      this.inboxes += 1;
      this.schedules += 1;
    });
    on('inbox', () => (this.inboxes += 1));
    on('receiver', (one: Receiver) => this.receivers.set(one.id, one));
    on('broadcast', (one: Broadcast) => this.broadcasts.set(one.id, one));
    on('playlists', () => this.playlists++);
    on('bulletin', (one: Bulletin) => this.bulletins.set(one.id, one));
  }

  #heard() {
    this.heardAt = new Date();
    this.connection = 'live';
    this.#attempt = 0;
  }

  #lose() {
    this.connection = 'lost';
  }

  /** The browser retries a broken stream by itself but gives up on an HTTP error (a restarting server's proxy, an ended session). We always go on. */
  #broke(source: EventSource) {
    if (source !== this.#source) return;
    this.#lose();
    source.close();
    this.#reopenSoon(RETRY[Math.min(this.#attempt++, RETRY.length - 1)] ?? 5_000);
  }

  #reopenSoon(pause: number) {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#reopen(), pause);
  }

  /** Asks anew who is signed in, after something that may have changed it. */
  async refresh() {
    const session = await client.whoAmI();
    if (session === null || session.second_factor === 'needed') this.signedOut = true;
    else this.session = session;
  }

  async #reopen() {
    try {
      await this.refresh();
      if (this.signedOut) return;
    } catch {
      this.#lose();
      this.#reopenSoon(RETRY[Math.min(this.#attempt++, RETRY.length - 1)] ?? 5_000);
      return;
    }
    this.#open();
  }

  async #checkSilence() {
    if (this.connection !== 'live' || this.heardAt === null) return;
    if (Date.now() - this.heardAt.getTime() < SILENCE) return;
    const source = this.#source;
    if (await client.reachable(PATIENCE)) {
      if (source === this.#source && this.connection === 'live') this.heardAt = new Date();
    } else if (source !== null) this.#broke(source);
  }

  #replace(whole: Snapshot) {
    fill(this.receivers, whole.receivers);
    fill(this.broadcasts, whole.broadcasts);
    fill(this.bulletins, whole.bulletins);
    fill(this.areas, whole.areas);
    this.ready = true;
  }

  /** Puts what a request answered in place at once, without waiting for the stream to say the same. */
  tell(what: { broadcast?: Broadcast; bulletin?: Bulletin; receiver?: Receiver }) {
    if (what.broadcast) this.broadcasts.set(what.broadcast.id, what.broadcast);
    if (what.bulletin) this.bulletins.set(what.bulletin.id, what.bulletin);
    if (what.receiver) this.receivers.set(what.receiver.id, what.receiver);
  }
}

function fill<T extends { id: string }>(map: SvelteMap<string, T>, list: readonly T[]) {
  const present = new Set(list.map((one) => one.id));
  for (const id of map.keys()) if (!present.has(id)) map.delete(id);
  for (const one of list) map.set(one.id, one);
}

export const live = new Live();
