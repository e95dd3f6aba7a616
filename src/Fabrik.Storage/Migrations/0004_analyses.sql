-- What the last look at each experiment found, and all that the next one needs: state covers the updates of members up to its revision, so
-- that one row, written at once, can neither lose a run nor count one twice. An experiment is a change (its UID) from one start on; times
-- are milliseconds since 1970 in UTC. Portable SQL: SQLite 3.35 and PostgreSQL.
CREATE TABLE analyses (
    change_uid TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    change_name TEXT NOT NULL,
    experiment TEXT,
    generation BIGINT NOT NULL,
    analyzed_at BIGINT NOT NULL,
    goal TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reasons TEXT NOT NULL,
    threshold DOUBLE PRECISION NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (change_uid, started_at)
);
CREATE INDEX analyses_of_change ON analyses (change_name, started_at);
