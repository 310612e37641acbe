-- Programs that wait for somebody to let them in (RFC 8628). A row goes when the program is told, or when it expires.

CREATE TABLE device_logins (
    device_hash TEXT PRIMARY KEY NOT NULL,
    user_code TEXT NOT NULL UNIQUE,
    -- What the program says of itself, and where it asks from.
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- NULL until the program asks for the first time.
    asked_at BIGINT,
    -- NULL until somebody decides.
    decision TEXT
);
CREATE INDEX device_logins_by_expiry ON device_logins (expires_at);
