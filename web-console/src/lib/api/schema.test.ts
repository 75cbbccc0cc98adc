// The console and the server cannot disagree: the committed types are those of the committed OpenAPI document.
import { readFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';
import { expect, it } from 'vitest';

it('schema.d.ts is what `npm run api` makes of server/openapi.json', async () => {
  const document = new URL('../../../../server/openapi.json', import.meta.url);
  const fresh = astToString(await openapiTS(document));
  const committed = readFileSync(new URL('./schema.d.ts', import.meta.url), 'utf8');
  expect(committed.replace(/^\/\*\*[\s\S]*?\*\/\s*/, '').trim(), 'run `npm run api`').toBe(fresh.trim());
});
