// What must be told to run these tests, each missing piece named: those that every story needs at once, the others when one asks.

function told(name: string, what: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: ${what}`);
  return value;
}

export const env = {
  url: told('LOA_E2E_URL', 'the address of a running `loa serve`, such as http://127.0.0.1:8080'),
  user: told('LOA_E2E_USER', 'the user name of an administrator there'),
  password: told('LOA_E2E_PASSWORD', 'that administrator’s password'),
  /** Receivers enrolled there that are running. */
  online: Number(told('LOA_E2E_ONLINE', 'how many receivers enrolled there are running')),
  /** Receivers enrolled there that nobody switched on: at least one, so that silence is seen too. */
  silent: Number(told('LOA_E2E_SILENT', 'how many more are enrolled there but not running, at least 1')),
  get mp3() {
    return told('LOA_E2E_MP3', 'the path of an MP3 of at least 30 seconds');
  },
  /** Another server, whose stories change people, areas and receivers as they like. */
  get office() {
    return {
      url: told('LOA_E2E_OFFICE_URL', 'the address of another `loa serve`'),
      user: told('LOA_E2E_OFFICE_USER', 'the user name of an administrator there'),
      password: told('LOA_E2E_OFFICE_PASSWORD', 'that administrator’s password')
    };
  },
  /** A third, whose people come in by a provider of single sign-on, too. */
  get sso() {
    return {
      url: told('LOA_E2E_SSO_URL', 'the address of a `loa serve` with single sign-on (tests/oidc/provider.mjs)'),
      user: told('LOA_E2E_SSO_USER', 'the user name of an administrator there'),
      password: told('LOA_E2E_SSO_PASSWORD', 'that administrator’s password'),
      name: told('LOA_E2E_SSO_NAME', 'what the provider is called there (oidc.name)')
    };
  },
  get setup() {
    return told('LOA_E2E_SETUP', 'the one-time link that another, fresh `loa serve` printed, not used yet');
  },
  /** Where the story that measures the way of a voice writes when it was heard; absent: it is not told. */
  clicks: process.env.LOA_E2E_CLICKS
};
