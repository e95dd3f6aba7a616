-- For which changes a run counts, one row for each: as treatment, as control (of every experiment it was eligible for), as applied, or
-- withdrawn where it once counted and then turned out to be a copy of an earlier Job. Times are the run's own, so that each order of a
-- change's runs is one walk along an index. The revision grows with every write; who has read up to one asks for what came after it.
CREATE TABLE run_experiments (
    run BIGINT NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    change_name TEXT NOT NULL,
    role TEXT NOT NULL,
    position INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (run, change_name)
);

CREATE INDEX members_by_created ON run_experiments (change_name, created_at, run, role);
CREATE INDEX members_by_finished ON run_experiments (change_name, finished_at, run, role);
CREATE INDEX members_by_duration ON run_experiments (change_name, duration_ms, run, role);
CREATE INDEX members_by_revision ON run_experiments (change_name, revision, run);

CREATE TABLE revisions (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO revisions (name, value) VALUES ('run_experiments', 1);

-- Of runs stored before, only the change of the arm is known. That is all there is of a treatment. A control's other experiments and an
-- applied run's other changes are found again for Jobs that still exist, whose annotation is read anew; of Jobs that are gone they are lost.
INSERT INTO run_experiments (run, change_name, role, position, created_at, finished_at, duration_ms, revision)
SELECT seq, change_name, arm, 0, created_at, finished_at, duration_ms, 1 FROM runs
WHERE change_name IS NOT NULL AND arm IN ('treatment', 'control', 'applied');

-- The orders and filters of the list of runs, anew: an entry begins with what it is sorted by and the row's number, which breaks ties, so
-- that a walk needs no sorting; the other columns let every filter be tested, and every order be made, without a look at the row itself.
DROP INDEX runs_by_created;
DROP INDEX runs_by_finished;
DROP INDEX runs_by_duration;
DROP INDEX runs_of_namespace;
DROP INDEX runs_of_outcome;
DROP INDEX runs_of_arm;
DROP INDEX runs_of_change;
DROP INDEX runs_of_project;
DROP INDEX runs_of_spec_type;
DROP INDEX runs_of_name;
CREATE INDEX runs_by_created ON runs (created_at, seq, namespace, outcome, arm, project, spec_type, name, finished_at, duration_ms);
CREATE INDEX runs_by_finished ON runs (finished_at, seq, namespace, outcome, arm, project, spec_type, name, created_at);
CREATE INDEX runs_by_duration ON runs (duration_ms, seq, namespace, outcome, arm, project, spec_type, name, created_at);
CREATE INDEX runs_of_namespace ON runs (namespace, created_at, seq, outcome, arm, project, spec_type, name, finished_at, duration_ms);
CREATE INDEX runs_of_outcome ON runs (outcome, created_at, seq, namespace, arm, project, spec_type, name, finished_at, duration_ms);
CREATE INDEX runs_of_arm ON runs (arm, created_at, seq, namespace, outcome, project, spec_type, name, finished_at, duration_ms);
CREATE INDEX runs_of_project ON runs (project, created_at, seq, namespace, outcome, arm, spec_type, name, finished_at, duration_ms);
CREATE INDEX runs_of_spec_type ON runs (spec_type, created_at, seq, namespace, outcome, arm, project, name, finished_at, duration_ms);
CREATE INDEX runs_of_name ON runs (name, created_at, seq, namespace, outcome, arm, project, spec_type, finished_at, duration_ms);
