import { expect, it } from 'vitest';
import { brought } from './oidc';

it('what the provider gave is read from the address', () => {
  expect(brought('?code=a%2Fb&state=s&iss=https%3A%2F%2Fsso.example&session_state=x')).toEqual({ state: 's', code: 'a/b', iss: 'https://sso.example' });
  expect(brought('?error=access_denied&state=s&error_description=no')).toEqual({ state: 's', error: 'access_denied' });
});

it('an address without a state is no answer', () => {
  expect(brought('')).toBeNull();
  expect(brought('?code=a')).toBeNull();
});
