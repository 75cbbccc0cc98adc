// A TCP wire between the browser and the server that can be cut, or go silent, and be mended: what a network does to both.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Wire {
  #sockets = new Set<Socket>();
  /** Those to the server: what they bring is what it says. */
  #far = new Set<Socket>();
  #silent = false;
  #deaf = false;
  #server: Server;
  #port = 0;

  private constructor(readonly target: URL) {
    this.#server = createServer((near) => this.#join(near));
  }

  static async to(url: string): Promise<Wire> {
    const wire = new Wire(new URL(url));
    await wire.#listen(0);
    return wire;
  }

  get url(): string {
    return `http://${this.target.hostname}:${this.#port}`;
  }

  /** As when the server is gone: connections are reset, new ones refused. */
  async cut() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Undoes all of that, on the same port. */
  async mend() {
    this.speak();
    await this.#listen(this.#port);
  }

  /** As when a cable is pulled further on: connections stay, nothing comes through any more. */
  hush() {
    this.#silent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What the browser says arrives; what the server says does not. */
  deafen() {
    this.#deaf = true;
    for (const socket of this.#far) socket.pause();
  }

  /** Undoes `hush` and `deafen`. */
  speak() {
    [this.#silent, this.#deaf] = [false, false];
    for (const socket of this.#sockets) socket.resume();
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, this.target.hostname, () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  #join(near: Socket) {
    const far = connect(Number(this.target.port || 80), this.target.hostname);
    this.#far.add(far);
    far.on('close', () => this.#far.delete(far));
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (data) => to.write(data));
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#silent || (this.#deaf && from === far)) from.pause();
    }
  }
}
