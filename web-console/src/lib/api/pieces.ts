// Sending a file in pieces (tus 1.0), so that a broken line costs a piece and not the file. Here: from where to go on, and when to try
// again. Not here: making a bulletin of the file.
import { asProblem, Failure, headersOf } from './client';

/** A piece, in bytes: small enough to show progress and to be lost on a line of 256 kbit/s, and few enough for a long file. */
const piece = (size: number) => Math.max(512 << 10, Math.ceil(size / 200));
/** Pauses before trying again, in milliseconds; then the last one, until nothing came for so long that it is given up. */
const PAUSES = [1_000, 2_000, 5_000, 10_000];
const PATIENCE = 10 * 60_000;

const TUS = { 'Tus-Resumable': '1.0.0' };

async function call(method: string, path: string, headers: Record<string, string>, signal: AbortSignal, body?: Blob): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers: { ...headersOf(), ...TUS, ...headers }, signal, ...(body === undefined ? {} : { body }) });
  } catch {
    throw new Failure(0, { code: signal.aborted ? 'cancelled' : 'offline', message: '' });
  }
  if (answer.ok) return answer;
  const failure = new Failure(answer.status, asProblem(await answer.json().catch(() => null), answer.status));
  const wait = Number(answer.headers.get('retry-after'));
  throw wait > 0 ? Object.assign(failure, { wait: wait * 1000 }) : failure;
}

/** Whether another attempt may succeed: the line broke, the server is busy or restarting, or another piece is still being written. */
const passes = (failure: Failure) => failure.status === 0 || failure.status === 408 || failure.status === 429 || failure.status >= 500 || failure.problem.code === 'upload_busy' || failure.problem.code === 'upload_offset';

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((go) => {
    const timer = setTimeout(go, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), go()), { once: true });
  });

/** Sends `file`, from where it was after each break of the line; answers where the server has it. `onProgress` gets 0 to 1. */
export async function send(file: Blob, onProgress: (part: number) => void, signal: AbortSignal): Promise<string> {
  const begun = await call('POST', '/api/v1/uploads', { 'Upload-Length': String(file.size) }, signal);
  const path = begun.headers.get('location') ?? '';
  let [offset, failures, heard] = [0, 0, Date.now()];
  let sure = true;
  try {
    while (offset < file.size) {
      try {
        if (!sure) offset = Number((await call('HEAD', path, {}, signal)).headers.get('upload-offset'));
        sure = true;
        if (offset >= file.size) break;
        const part = file.slice(offset, offset + piece(file.size));
        const answer = await call('PATCH', path, { 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' }, signal, part);
        offset = Number(answer.headers.get('upload-offset'));
        [failures, heard] = [0, Date.now()];
        onProgress(offset / file.size);
      } catch (error) {
        if (!(error instanceof Failure) || signal.aborted || !passes(error) || Date.now() - heard > PATIENCE) throw error;
        sure = false;
        const wait = (error as { wait?: number }).wait;
        await pause(wait ?? PAUSES[Math.min(failures++, PAUSES.length - 1)] ?? 10_000, signal);
      }
    }
  } catch (error) {
    // What nobody goes on with need not wait a day there; a signal that has fired would stop this, too.
    void fetch(path, { method: 'DELETE', headers: { ...headersOf(), ...TUS } }).catch(() => undefined);
    throw error;
  }
  return path;
}
