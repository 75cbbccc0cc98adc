// The console in a real browser against a real `loa serve`, with receivers. Nothing is started here: whoever runs this
// (`cargo xtask test`, or e2e/README.md by hand) has started it and says where it is; e2e/env.ts lists what must be told.
import { defineConfig, devices } from '@playwright/test';
import { launchOptions } from './e2e/browser';
import { env } from './e2e/env';

const laptop = { ...devices['Desktop Chrome'], viewport: { width: 1366, height: 768 }, launchOptions };
const phone = { ...devices['Pixel 7'], viewport: { width: 390, height: 844 }, launchOptions };
const once = /(first-start|connection|map|offline|reach|areas|people|account|receivers|record|inbox|schedule|sso|playlists|emergency|hours|live)\.spec\.ts/;
const latency = /latency\.spec\.ts/;

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // All tests share one server and its receivers, which play one broadcast at a time.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  timeout: 180_000,
  // On a machine that is shared and noisy one more attempt; which ones needed it is listed as flaky.
  retries: 1,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: { baseURL: env.url, locale: 'vi-VN', timezoneId: 'Asia/Ho_Chi_Minh', trace: 'on-first-retry' },
  projects: [
    { name: 'once', testMatch: once, use: laptop },
    { name: 'laptop', testIgnore: [once, latency], use: laptop },
    { name: 'phone', testIgnore: [once, latency], use: phone },
    // By itself, on a machine that does nothing else: a second attempt would be another measurement.
    ...(env.clicks === undefined ? [] : [{ name: 'latency', testMatch: latency, retries: 0, use: laptop }])
  ]
});
