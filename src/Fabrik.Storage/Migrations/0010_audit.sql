-- What Fabrik and its users did, each row chained to the one before by its hash (Fabrik/Audit/AuditChain.cs says over what). Rows are added, and
-- only those that an anchor covers are taken away, 90 days after they were written. Times are milliseconds since 1970 in UTC.
-- Portable SQL: SQLite 3.35 and PostgreSQL, but for the bodies of the triggers.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT,
    action TEXT NOT NULL,
    kind TEXT,
    namespace TEXT,
    name TEXT,
    uid TEXT,
    resource_version TEXT,
    request TEXT,
    details TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at, seq);
CREATE INDEX audit_of_object ON audit (name, seq);

-- The last row: that rows at the end are missing shows by it.
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- The last row of what was taken away, so that the first that is left still has something to fit. The newest counts.
CREATE TABLE audit_anchors (
    seq BIGINT PRIMARY KEY,
    hash TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- What people write, as it was last seen: what is another after a restart shows by it.
CREATE TABLE audit_objects (
    kind TEXT NOT NULL,
    uid TEXT NOT NULL,
    namespace TEXT,
    name TEXT NOT NULL,
    resource_version TEXT,
    generation BIGINT NOT NULL,
    spec TEXT NOT NULL,
    PRIMARY KEY (kind, uid)
);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;

CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit WHEN NOT EXISTS (SELECT 1 FROM audit_anchors WHERE seq >= OLD.seq)
BEGIN SELECT RAISE(ABORT, 'the audit table is append-only: only what an anchor covers is removed'); END;

CREATE TRIGGER audit_goes_on_at_its_end BEFORE INSERT ON audit WHEN NOT EXISTS (SELECT 1 FROM audit_head WHERE seq = NEW.seq - 1 AND hash = NEW.previous)
BEGIN SELECT RAISE(ABORT, 'a row of the audit table follows the last one'); END;

CREATE TRIGGER audit_has_a_head AFTER INSERT ON audit
BEGIN UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash; END;

-- 7776000000 ms are 90 days.
CREATE TRIGGER audit_anchors_are_old BEFORE INSERT ON audit_anchors WHEN NOT EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq AND hash = NEW.hash AND at <= NEW.at - 7776000000)
BEGIN SELECT RAISE(ABORT, 'an anchor is a row of the audit table that is 90 days old'); END;

CREATE TRIGGER audit_anchors_are_not_changed BEFORE UPDATE ON audit_anchors
BEGIN SELECT RAISE(ABORT, 'anchors of the audit table stay'); END;

CREATE TRIGGER audit_anchors_are_not_removed BEFORE DELETE ON audit_anchors
BEGIN SELECT RAISE(ABORT, 'anchors of the audit table stay'); END;
