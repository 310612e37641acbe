-- Who calls: sessions, sign-ins under way and personal access tokens. Secrets are kept as hashes; taking one back deletes
-- its row.

-- Where the call came from; the version before writes none.
ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT '';

CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    group_names TEXT NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_subject ON sessions (issuer, subject);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE logins (
    state_hash TEXT PRIMARY KEY NOT NULL,
    payload TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX logins_by_expiry ON logins (expires_at);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    group_names TEXT NOT NULL,
    name TEXT NOT NULL,
    -- NULL where the token may do all that its owner may.
    access TEXT,
    created_at BIGINT NOT NULL,
    -- NULL until it is used.
    last_used_at BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_subject ON tokens (issuer, subject);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
