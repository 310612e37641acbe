-- Operations on GitOps repositories, and what people decided about them.

CREATE TABLE gitops_operations (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    repository TEXT NOT NULL,
    branch TEXT NOT NULL,
    status TEXT NOT NULL,
    -- 1 while there is something to be done about it.
    is_pending INTEGER NOT NULL,
    requested_at BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX gitops_operations_by_time ON gitops_operations (requested_at);
CREATE INDEX gitops_operations_pending ON gitops_operations (is_pending, requested_at);

-- Apart from the operations, so that whoever decides waits for no work that is going on.
CREATE TABLE gitops_decisions (
    operation TEXT NOT NULL,
    -- approve, merge or close
    kind TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_by_name TEXT NOT NULL,
    -- Of the plan that was decided on.
    fingerprint TEXT NOT NULL,
    at BIGINT NOT NULL,
    policy_revision TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (operation, kind, decided_by, fingerprint)
);
