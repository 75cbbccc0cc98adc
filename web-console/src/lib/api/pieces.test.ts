import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from './client';
import { send } from './pieces';

const file = new Blob([new Uint8Array(1_300_000).map((_, i) => i % 251)]);
let had: Buffer;
let calls: string[];

/** A server that keeps what comes; `fault` may have a request fail, after so many bytes of it. */
function server(fault: (n: number, method: string) => { status?: number; keep?: number } | undefined) {
  had = Buffer.alloc(0);
  calls = [];
  vi.stubGlobal('document', { documentElement: { lang: 'vi' } });
  vi.stubGlobal('fetch', async (_path: string, init: RequestInit) => {
    const method = init.method ?? 'GET';
    calls.push(method);
    const wrong = fault(calls.length, method);
    if (method === 'PATCH') {
      const from = Number((init.headers as Record<string, string>)['Upload-Offset']);
      if (from !== had.length) return Response.json({ code: 'upload_offset', message: '' }, { status: 409 });
      const bytes = new Uint8Array(await (init.body as Blob).arrayBuffer()).slice(0, wrong?.keep);
      had = Buffer.concat([had, bytes]);
    }
    if (wrong?.status) return Response.json({ code: 'x', message: '' }, { status: wrong.status });
    if (wrong) throw new TypeError('the line broke');
    const headers = { location: '/api/v1/uploads/1', 'upload-offset': String(had.length) };
    return new Response(null, { status: method === 'POST' ? 201 : 204, headers });
  });
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function sent(signal = new AbortController().signal) {
  const parts: number[] = [];
  const sending = send(file, (part) => parts.push(part), signal);
  sending.catch(() => undefined);
  await vi.runAllTimersAsync();
  return { path: await sending, parts };
}

describe('a file in pieces', () => {
  it('arrives whole, and says how far it has come', async () => {
    server(() => undefined);
    const { path, parts } = await sent();
    expect(path).toBe('/api/v1/uploads/1');
    expect(Buffer.compare(had, Buffer.from(await file.arrayBuffer()))).toBe(0);
    expect(parts).toHaveLength(3);
    expect(parts.at(-1)).toBe(1);
  });
  it('goes on from where the line broke', async () => {
    server((n, method) => (method === 'PATCH' && n === 3 ? { keep: 1000 } : n === 4 ? {} : undefined));
    await sent();
    expect(Buffer.compare(had, Buffer.from(await file.arrayBuffer()))).toBe(0);
    // The second piece broke, the server was away, then it was asked how far it came.
    expect(calls).toEqual(['POST', 'PATCH', 'PATCH', 'HEAD', 'HEAD', 'PATCH', 'PATCH']);
  });
  it('is given up when it is refused', async () => {
    server((_, method) => (method === 'PATCH' ? { status: 422, keep: 0 } : undefined));
    await expect(sent()).rejects.toBeInstanceOf(Failure);
    expect(calls).toEqual(['POST', 'PATCH', 'DELETE']);
  });
  it('is given up when nobody wants it any more', async () => {
    const stop = new AbortController();
    server((_, method) => {
      if (method === 'PATCH') stop.abort();
      return method === 'PATCH' ? {} : undefined;
    });
    await expect(sent(stop.signal)).rejects.toMatchObject({ problem: { code: 'cancelled' } });
    expect(calls).toEqual(['POST', 'PATCH', 'DELETE']);
  });
});
