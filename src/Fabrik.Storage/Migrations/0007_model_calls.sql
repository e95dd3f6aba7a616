-- The ledger of model calls: one row for each attempt at a provider, as the gateway delivered it, never changed. It may be delivered any number
-- of times and before its run is known; run_id is that of runs, not the Job's UID. Times are milliseconds since 1970 in UTC, money is millionths
-- of the currency, durations are milliseconds. Portable SQL: SQLite 3.35 and PostgreSQL.
CREATE TABLE model_calls (
    id TEXT NOT NULL PRIMARY KEY,
    operation_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    run_id TEXT,
    key_id TEXT,
    namespace TEXT,
    project TEXT,
    arm TEXT,
    change_name TEXT,
    operation TEXT NOT NULL,
    streamed INTEGER NOT NULL,
    provider TEXT NOT NULL,
    provider_key TEXT,
    requested_model TEXT NOT NULL,
    sent_model TEXT NOT NULL,
    served_model TEXT,
    service_tier TEXT,
    input_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    cache_write_hour_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    web_searches BIGINT NOT NULL,
    estimated INTEGER NOT NULL,
    cost_micros BIGINT NOT NULL,
    currency TEXT NOT NULL,
    price_version TEXT NOT NULL,
    price_unknown INTEGER NOT NULL,
    latency_ms DOUBLE PRECISION NOT NULL,
    first_byte_ms DOUBLE PRECISION,
    outcome TEXT NOT NULL,
    status INTEGER,
    error TEXT
);
CREATE INDEX model_calls_of_operation ON model_calls (operation_id);
CREATE INDEX model_calls_of_run ON model_calls (run_id, started_at);
CREATE INDEX model_calls_of_project ON model_calls (project, started_at);
CREATE INDEX model_calls_of_namespace ON model_calls (namespace, started_at);
CREATE INDEX model_calls_by_time ON model_calls (started_at);

-- The sums of each run, by the model that was asked of the provider; written with the rows they are of, in one transaction. Calls do not add up
-- over models, as one may have been attempted with several: of the run as a whole they stand apart.
CREATE TABLE run_model_calls (
    run_id TEXT NOT NULL,
    model TEXT NOT NULL,
    currency TEXT NOT NULL,
    calls BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    cache_write_hour_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    web_searches BIGINT NOT NULL,
    estimated INTEGER NOT NULL,
    cost_micros BIGINT NOT NULL,
    price_unknown INTEGER NOT NULL,
    PRIMARY KEY (run_id, model, currency)
);
CREATE TABLE run_calls (
    run_id TEXT NOT NULL PRIMARY KEY,
    calls BIGINT NOT NULL
);
