import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from '../api/client';
import { COUNTDOWN, Launch } from './launch.svelte';

const lost = () => Promise.reject(new Failure(0, { code: 'offline', message: '' }));
const denied = (status: number, code: string) => () => Promise.reject(new Failure(status, { code, message: '' }));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function armed(send: () => Promise<string>, lookUp: () => Promise<string | undefined> = () => Promise.resolve(undefined)) {
  const launch = new Launch<string>();
  const act = { send: vi.fn(send), lookUp: vi.fn(lookUp), done: vi.fn() };
  return { launch, act };
}
const seconds = (n: number) => vi.advanceTimersByTimeAsync(n * 1000);

describe('a launch', () => {
  it('sends once, after the countdown and not before, however often it is pressed', async () => {
    const { launch, act } = armed(() => Promise.resolve('on air'));
    launch.press(act);
    launch.press(act);
    await seconds(COUNTDOWN - 1);
    launch.press(act);
    expect([launch.phase, launch.left, act.send.mock.calls.length]).toEqual(['countdown', 1, 0]);
    await seconds(1);
    launch.press(act);
    await seconds(60);
    expect(act.send).toHaveBeenCalledOnce();
    expect(act.done).toHaveBeenCalledExactlyOnceWith('on air');
    expect(launch.phase).toBe('done');
  });

  it('that is cancelled sends nothing, and begins with all its seconds again', async () => {
    const { launch, act } = armed(() => Promise.resolve('on air'));
    launch.press(act);
    await seconds(COUNTDOWN - 1);
    launch.cancel();
    await seconds(60);
    expect([launch.phase, act.send.mock.calls.length]).toEqual(['idle', 0]);
    launch.press(act);
    expect(launch.left).toBe(COUNTDOWN);
    launch.reset();
    await seconds(60);
    expect(act.send).not.toHaveBeenCalled();
  });

  it('that the server refuses says why, and looks for nothing', async () => {
    const { launch, act } = armed(denied(403, 'second_factor'));
    launch.press(act);
    await seconds(COUNTDOWN);
    expect([launch.phase, launch.problem?.code, launch.missed]).toEqual(['idle', 'second_factor', false]);
    expect(act.lookUp).not.toHaveBeenCalled();
  });

  it.each([{ by: 'the network', send: lost }, { by: 'the server', send: denied(500, 'internal') }, { by: 'a proxy', send: denied(404, 'http_404') }])(
    'whose answer $by has lost is found before anything is said, and not sent again',
    async ({ send }) => {
      const found = vi.fn<() => Promise<string | undefined>>().mockImplementationOnce(lost).mockImplementationOnce(lost).mockResolvedValue('it');
      const { launch, act } = armed(send, found);
      launch.press(act);
      await seconds(COUNTDOWN);
      expect([launch.phase, launch.problem?.code]).toEqual(['unknown', 'offline']);
      launch.cancel();
      launch.reset();
      launch.press(act);
      expect(launch.phase).toBe('unknown');
      await seconds(10);
      expect(act.done).toHaveBeenCalledExactlyOnceWith('it');
      expect(act.send).toHaveBeenCalledOnce();
    }
  );

  it('that never arrived is offered again only when the server has said so twice', async () => {
    const { launch, act } = armed(lost);
    launch.press(act);
    await seconds(COUNTDOWN + 1);
    expect([launch.phase, launch.missed]).toEqual(['unknown', false]);
    await seconds(10);
    expect([launch.phase, launch.missed, act.lookUp.mock.calls.length]).toEqual(['idle', true, 2]);
  });

  it('that may have come since is looked for first, and not sent where that cannot be known', async () => {
    const { launch, act } = armed(() => Promise.resolve('another'));
    launch.press({ ...act, first: lost });
    await seconds(COUNTDOWN);
    expect([launch.phase, launch.missed, launch.problem?.code]).toEqual(['idle', true, 'offline']);
    launch.press({ ...act, first: () => Promise.resolve('it') });
    await seconds(COUNTDOWN);
    expect(act.send).not.toHaveBeenCalled();
    expect(act.done).toHaveBeenCalledExactlyOnceWith('it');
  });
});
