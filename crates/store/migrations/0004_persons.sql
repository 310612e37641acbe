-- What people's groups gave them when they last signed in, so that the next sign-in can tell what is different.
CREATE TABLE persons (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- In words, as the audit log shows it.
    access TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX persons_by_time ON persons (seen_at);

-- Where a change was asked for from; the version before writes none.
ALTER TABLE changes ADD COLUMN address TEXT NOT NULL DEFAULT '';
