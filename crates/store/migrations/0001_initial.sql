-- One text for SQLite and Postgres: the tokens in double braces are the only places where they differ.
-- Times are milliseconds since the epoch, structures are JSON text.

-- Sequence numbers. A counter is raised by updating its row, which stays locked until the transaction ends: numbers
-- become visible in their order and without gaps, which a database sequence does not promise.
CREATE TABLE counters (
    name TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES
    ('snapshot', 0), ('source_status', 0), ('history', 0), ('change', 0), ('audit', 0), ('event', 0), ('delivery', 0);

CREATE TABLE leases (
    name TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE snapshots (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    revision BIGINT NOT NULL,
    collected_at BIGINT NOT NULL,
    instance_count BIGINT NOT NULL,
    payload {{blob}} NOT NULL,
    PRIMARY KEY (account, region)
);

CREATE TABLE source_status (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    revision BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (account, region)
);

CREATE TABLE history (
    id {{id}},
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    before_state TEXT,
    after_state TEXT
);
CREATE INDEX history_by_instance ON history (account, region, instance_id, at, id);
CREATE INDEX history_by_time ON history (at, id);

CREATE TABLE vanished (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    last_seen BIGINT NOT NULL,
    instance TEXT NOT NULL,
    PRIMARY KEY (account, region, instance_id)
);
CREATE INDEX vanished_by_time ON vanished (last_seen);

CREATE TABLE trend (
    hour BIGINT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (hour, account, region)
);

CREATE TABLE changes (
    id {{id}},
    idempotency_key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    request TEXT NOT NULL,
    before_options TEXT NOT NULL,
    after_options TEXT,
    status TEXT NOT NULL,
    -- 1 until the status is final.
    is_open BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    policy_revision TEXT NOT NULL,
    aws_request_id TEXT,
    error TEXT,
    requested_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    lease_holder TEXT,
    lease_until BIGINT
);
CREATE INDEX changes_by_instance ON changes (account, region, instance_id, id);
CREATE UNIQUE INDEX changes_one_open ON changes (account, region, instance_id) WHERE is_open = 1;

CREATE TABLE audit (
    seq {{id}},
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    change_id BIGINT,
    reason TEXT NOT NULL,
    policy_revision TEXT NOT NULL,
    differences TEXT NOT NULL,
    aws_request_id TEXT,
    detail TEXT NOT NULL,
    -- The fields that a free-text filter looks at, in lower case.
    search_text TEXT NOT NULL
);
CREATE INDEX audit_by_instance ON audit (instance_id, seq);
CREATE INDEX audit_by_account ON audit (account, seq);
CREATE INDEX audit_by_time ON audit (at, seq);

CREATE TABLE events (
    seq {{id}},
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at);

CREATE TABLE deliveries (
    id {{id}},
    dedup_key TEXT NOT NULL UNIQUE,
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- When it is due; NULL once it was delivered or given up.
    next_attempt_at BIGINT,
    delivered_at BIGINT,
    last_error TEXT
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at, id);
