-- What calls of models add up to, so that neither budgets nor totals of a long time look at each attempt. All of it is written with the rows of
-- model_calls it is of, in one transaction; the rows may be forgotten before their sums. Texts that a call has not are empty here, as a key needs
-- them. Times are milliseconds since 1970 in UTC. Portable SQL: SQLite 3.35 and PostgreSQL.

-- Whether it was the first attempt of its call to be delivered, and the first of its call at its model: summed, calls are counted once.
ALTER TABLE model_calls ADD COLUMN first_of_call INTEGER NOT NULL DEFAULT 0;
ALTER TABLE model_calls ADD COLUMN first_of_model INTEGER NOT NULL DEFAULT 0;
UPDATE model_calls SET first_of_call = 1 WHERE id IN (SELECT MIN(id) FROM model_calls GROUP BY operation_id);
UPDATE model_calls SET first_of_model = 1 WHERE id IN (SELECT MIN(id) FROM model_calls GROUP BY operation_id, sent_model);

CREATE TABLE call_hours (
    hour BIGINT NOT NULL,
    namespace TEXT NOT NULL,
    project TEXT NOT NULL,
    key_id TEXT NOT NULL,
    arm TEXT NOT NULL,
    change_name TEXT NOT NULL,
    sent_model TEXT NOT NULL,
    currency TEXT NOT NULL,
    calls BIGINT NOT NULL,
    model_calls BIGINT NOT NULL,
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
    PRIMARY KEY (hour, namespace, project, key_id, arm, change_name, sent_model, currency)
);

-- The same by run: many more rows, so what is not asked by run reads the others.
CREATE TABLE run_hours (
    hour BIGINT NOT NULL,
    run_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    project TEXT NOT NULL,
    key_id TEXT NOT NULL,
    arm TEXT NOT NULL,
    change_name TEXT NOT NULL,
    sent_model TEXT NOT NULL,
    currency TEXT NOT NULL,
    calls BIGINT NOT NULL,
    model_calls BIGINT NOT NULL,
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
    PRIMARY KEY (hour, run_id, namespace, project, key_id, arm, change_name, sent_model, currency)
);

INSERT INTO run_hours
SELECT started_at - started_at % 3600000, COALESCE(run_id, ''), COALESCE(namespace, ''), COALESCE(project, ''), COALESCE(key_id, ''), COALESCE(arm, ''), COALESCE(change_name, ''), sent_model, currency,
    SUM(first_of_call), SUM(first_of_model), COUNT(*), SUM(input_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(cache_write_hour_tokens), SUM(output_tokens), SUM(reasoning_tokens),
    SUM(web_searches), MAX(estimated), SUM(cost_micros), MAX(price_unknown)
FROM model_calls GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

INSERT INTO call_hours
SELECT hour, namespace, project, key_id, arm, change_name, sent_model, currency,
    SUM(calls), SUM(model_calls), SUM(attempts), SUM(input_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(cache_write_hour_tokens), SUM(output_tokens), SUM(reasoning_tokens),
    SUM(web_searches), MAX(estimated), SUM(cost_micros), MAX(price_unknown)
FROM run_hours GROUP BY hour, namespace, project, key_id, arm, change_name, sent_model, currency;

-- What budgets are charged, by whom they are for (kind: cluster, namespace, project, key, change, run) and day of UTC; of a change by NAME and by NAME/ARM.
CREATE TABLE account_days (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    currency TEXT NOT NULL,
    day BIGINT NOT NULL,
    cost_micros BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    PRIMARY KEY (kind, subject, currency, day)
);
CREATE INDEX account_days_by_day ON account_days (kind, day, subject);

INSERT INTO account_days
SELECT kind, subject, currency, hour - hour % 86400000, SUM(cost_micros), SUM(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_hour_tokens + output_tokens)
FROM (
    SELECT 'cluster' AS kind, '' AS subject, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM call_hours
    UNION ALL SELECT 'namespace', namespace, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM call_hours WHERE namespace <> ''
    UNION ALL SELECT 'project', project, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM call_hours WHERE project <> ''
    UNION ALL SELECT 'key', key_id, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM call_hours WHERE key_id <> ''
    UNION ALL SELECT 'change', change_name, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM call_hours WHERE change_name <> ''
    UNION ALL SELECT 'change', change_name || '/' || arm, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM call_hours WHERE change_name <> '' AND arm <> ''
    UNION ALL SELECT 'run', run_id, currency, hour, cost_micros, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens FROM run_hours WHERE run_id <> ''
) AS charged GROUP BY 1, 2, 3, 4;

-- When so much of a limit was first used up in a period, and when people were told: once each, however often it is looked at and by whom.
CREATE TABLE budget_thresholds (
    account TEXT NOT NULL,
    limit_amount BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    percent INTEGER NOT NULL,
    reached_at BIGINT NOT NULL,
    told_at BIGINT,
    PRIMARY KEY (account, limit_amount, period_start, percent)
);

-- In which periods a gateway lacked what a call would have taken.
CREATE TABLE budget_refusals (
    account TEXT NOT NULL,
    period_start BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, period_start)
);

-- One row: that parts of budgets were handed out not long before this. What begins anew must then wait for what it does not know of.
CREATE TABLE leases_handed_out (
    one INTEGER NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
