-- What the runs of Jobs that belong together need, taken in once per run when its usage is settled: the revision of run_usage grows with each
-- run that is settled, and the profiles say up to which they hold. Of runs settled before nothing is known that a profile could use: how many
-- containers they had. A profile's revision says when it last changed; up to which changes were proposed stands beside. Portable SQL: SQLite 3.35 and PostgreSQL.
ALTER TABLE runs ADD COLUMN containers INTEGER;
ALTER TABLE run_usage ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
INSERT INTO revisions (name, value) VALUES ('run_usage', 0);
CREATE INDEX usage_by_revision ON run_usage (revision, run);

CREATE TABLE profiles (
    target TEXT NOT NULL PRIMARY KEY,
    profile TEXT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX profiles_by_revision ON profiles (revision);
INSERT INTO revisions (name, value) VALUES ('profiles', 0);
INSERT INTO revisions (name, value) VALUES ('proposals', 0);
