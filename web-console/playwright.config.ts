// The console in a real browser against a real `loa serve`, with receivers. Nothing is started here: whoever runs this
// (`cargo xtask test`, or e2e/README.md by hand) has started it and says where it is; e2e/env.ts lists what must be told.
import { existsSync } from 'node:fs';
import { defineConfig, devices } from '@playwright/test';
import { env } from './e2e/env';

// Debian's Chromium when there is one: nothing is downloaded. Otherwise the one of `npx playwright install chromium`.
const debian = '/usr/bin/chromium';
const launchOptions = {
  ...(existsSync(debian) ? { executablePath: debian } : {}),
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--autoplay-policy=document-user-activation-required']
};
const laptop = { ...devices['Desktop Chrome'], viewport: { width: 1366, height: 768 }, launchOptions };
const phone = { ...devices['Pixel 7'], viewport: { width: 390, height: 844 }, launchOptions };
const once = /(first-start|connection|offline|reach|people|account|receivers|record|inbox|schedule|sso|playlists|emergency|hours)\.spec\.ts/;

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
    { name: 'laptop', testIgnore: once, use: laptop },
    { name: 'phone', testIgnore: once, use: phone }
  ]
});
