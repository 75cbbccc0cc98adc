// A real provider of OpenID Connect for the console's stories: `oidc-provider`, whose own pages let in whoever says a name. Its port is
// free, its key and its people are of this run. Says its issuer in a line of its own.
//
//   node provider.mjs CONSOLE SECRET
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [console_, secret] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomUUID() };

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'loa',
        client_secret: secret,
        redirect_uris: [`${console_}/oidc`],
        post_logout_redirect_uris: [`${console_}/`]
      }
    ],
    jwks: { keys: [key] },
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: `${id}@tinh.example`, email: `${id}@tinh.example`, email_verified: true })
    })
  });
  server.on('request', provider.callback());
  console.log(`issuer ${issuer}`);
});
