-- One row for each Job, keyed by its UID. Times are milliseconds since 1970 in UTC; -1 stands for "not yet", so that every row has
-- a place in every order. Portable SQL: SQLite 3.35 and PostgreSQL.
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    run_id TEXT,
    change_name TEXT,
    arm TEXT NOT NULL,
    spec_type TEXT,
    spec_id TEXT,
    stratum TEXT NOT NULL,
    project TEXT,
    owner TEXT,
    requested_memory_request BIGINT,
    requested_memory_limit BIGINT,
    requested_cpu_request BIGINT,
    requested_cpu_limit BIGINT,
    requested_storage_limit BIGINT,
    applied_memory_request BIGINT,
    applied_memory_limit BIGINT,
    applied_cpu_request BIGINT,
    applied_cpu_limit BIGINT,
    applied_storage_limit BIGINT,
    created_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    oom_killed INTEGER NOT NULL,
    exit_code INTEGER,
    reason TEXT
);

-- The three orders. The columns after the first let a filter be tested without a look at the row itself.
CREATE INDEX runs_by_created ON runs (created_at, namespace, outcome, arm, change_name, project, spec_type, name);
CREATE INDEX runs_by_finished ON runs (finished_at, namespace, outcome, arm, change_name, project, spec_type, name, created_at);
CREATE INDEX runs_by_duration ON runs (duration_ms, namespace, outcome, arm, change_name, project, spec_type, name, created_at);

-- One for each filter, for values that are too rare to be met in a walk along an order.
CREATE INDEX runs_of_namespace ON runs (namespace, created_at);
CREATE INDEX runs_of_outcome ON runs (outcome, created_at);
CREATE INDEX runs_of_arm ON runs (arm, created_at);
CREATE INDEX runs_of_change ON runs (change_name, created_at);
CREATE INDEX runs_of_project ON runs (project, created_at);
CREATE INDEX runs_of_spec_type ON runs (spec_type, created_at);
CREATE INDEX runs_of_name ON runs (name, created_at);
CREATE INDEX runs_of_job ON runs (namespace, name, created_at);
CREATE INDEX runs_of_run_id ON runs (run_id);

-- What is known of a Job ('') and of each of its Pods (its name), kept until the Job has been gone for an hour.
CREATE TABLE run_evidence (
    run TEXT NOT NULL,
    subject TEXT NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (run, subject)
);
