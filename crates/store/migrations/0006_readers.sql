-- What is read of deliveries' sources, how each reader is, and which commits images were built from.

CREATE TABLE delivery_readers (
    -- "git/acme/gitops"
    name TEXT PRIMARY KEY NOT NULL,
    source TEXT NOT NULL,
    last_success_at BIGINT,
    -- Why it failed since, and when that was first so.
    problem TEXT,
    problem_at BIGINT
);

-- What each reader sees now. What it does not see any more is deleted.
CREATE TABLE delivery_sightings (
    reader TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- NULL for what concerns several services.
    service TEXT,
    environment TEXT,
    -- How it is, of what has a health: so that the matrix reads no bodies.
    health TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (reader, subject)
);
CREATE INDEX delivery_sightings_by_service ON delivery_sightings (service, environment);

-- Tags and digests of a service's images. A tag that is moved names the commit that it was moved to.
CREATE TABLE delivery_image_names (
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    commit_sha TEXT NOT NULL,
    PRIMARY KEY (service, name)
);
