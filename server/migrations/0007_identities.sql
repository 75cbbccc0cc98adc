-- Who somebody is at a provider of sign-in (OpenID Connect): issuer and subject name one account there for ever.
CREATE TABLE identities (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- What the provider calls them, for people to read; nothing is judged by it.
  label TEXT NOT NULL,
  created BIGINT NOT NULL,
  used BIGINT,
  UNIQUE (issuer, subject),
  UNIQUE (user_id, issuer)
);

-- By what a session was begun: password or oidc.
ALTER TABLE sessions ADD COLUMN how TEXT NOT NULL DEFAULT 'password';
