-- What sources tell of changes on their way, and what follows from it.

INSERT INTO counters (name, value) VALUES ('fact', 0);

-- Only ever added to.
CREATE TABLE facts (
    seq {{id}},
    source TEXT NOT NULL,
    -- The same id from the same source is the same fact, however often it is delivered.
    source_id TEXT NOT NULL,
    service TEXT NOT NULL,
    -- In full as soon as the commit is known in full; the body keeps what was told.
    commit_sha TEXT NOT NULL,
    observed_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (source, source_id)
);
CREATE INDEX facts_by_change ON facts (service, commit_sha, seq);

-- The facts of one commit of one service, joined. A projection: the facts alone give it again.
CREATE TABLE delivery_changes (
    service TEXT NOT NULL,
    commit_sha TEXT NOT NULL,
    -- NULL while no source has told of the commit itself.
    committed_at BIGINT,
    author TEXT,
    pull_request BIGINT,
    tag TEXT,
    digest TEXT,
    -- The number of the last fact in it, and when the latest was told.
    fact_seq BIGINT NOT NULL,
    told_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (service, commit_sha)
);
CREATE INDEX delivery_changes_by_time ON delivery_changes (service, committed_at);
CREATE INDEX delivery_changes_by_fact ON delivery_changes (fact_seq);
CREATE INDEX delivery_changes_by_age ON delivery_changes (told_at);
CREATE INDEX delivery_changes_by_commit ON delivery_changes (commit_sha);
CREATE INDEX delivery_changes_by_author ON delivery_changes (author, committed_at);
CREATE INDEX delivery_changes_by_pull_request ON delivery_changes (pull_request);
CREATE INDEX delivery_changes_by_tag ON delivery_changes (tag);
CREATE INDEX delivery_changes_by_digest ON delivery_changes (digest);

-- Where each service stands in each environment: what the matrix is answered from. A projection of the changes.
CREATE TABLE delivery_standings (
    service TEXT PRIMARY KEY NOT NULL,
    standing TEXT NOT NULL
);
