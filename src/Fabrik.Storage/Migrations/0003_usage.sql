-- What each run used, keyed by the run's id. Amounts are bytes and thousandths of a core. A row appears with the first sample, or when
-- it is settled that there is none; once settled it does not change any more. Portable SQL: SQLite 3.35 and PostgreSQL.
CREATE TABLE run_usage (
    run TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    missing_prometheus TEXT,
    missing_metrics_server TEXT,
    missing_kubelet TEXT,
    peak_memory BIGINT,
    mean_cpu BIGINT,
    p95_cpu BIGINT,
    peak_cpu BIGINT,
    samples INTEGER NOT NULL,
    settled INTEGER NOT NULL
);

-- What was sampled of each Pod while it ran, until its run is settled.
CREATE TABLE run_samples (
    run TEXT NOT NULL,
    pod TEXT NOT NULL,
    tally TEXT NOT NULL,
    PRIMARY KEY (run, pod)
);
