-- Every step of every change, kept for ever and never changed: first the intent, then what became of it. The status of a change names the step
-- that made it, so after a crash between any two writes it is known whether the step was taken. Times are milliseconds since 1970 in UTC.
-- Portable SQL: SQLite 3.35 and PostgreSQL.
CREATE TABLE transitions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    change_uid TEXT NOT NULL,
    change_name TEXT NOT NULL,
    experiment TEXT,
    from_phase TEXT,
    to_phase TEXT NOT NULL,
    actor TEXT,
    reasons TEXT NOT NULL,
    evidence TEXT NOT NULL,
    incident TEXT,
    generation BIGINT NOT NULL,
    resource_version TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX transitions_of_change ON transitions (change_uid, seq);
CREATE INDEX transitions_by_time ON transitions (at, seq);
CREATE INDEX transitions_with_incident ON transitions (seq) WHERE incident IS NOT NULL;

-- written, overtaken (someone else wrote first), gone (the change does not exist any more) or refused (the server does not take it). A step
-- that seemed overtaken may turn out to be written; the later row counts.
CREATE TABLE transition_results (
    seq INTEGER PRIMARY KEY,
    transition TEXT NOT NULL REFERENCES transitions (id),
    result TEXT NOT NULL,
    message TEXT,
    at BIGINT NOT NULL,
    UNIQUE (transition, result)
);

-- What a person said to an emergency rollback.
CREATE TABLE incident_reviews (
    transition TEXT NOT NULL PRIMARY KEY REFERENCES transitions (id),
    actor TEXT,
    reason TEXT,
    at BIGINT NOT NULL
);
