-- Which run ids have ended, in the order in which that became known, so that gateways can ask for what is new. Rows are only added: one that turns
-- out to live after all gets another with ended = 0. expires_at: from then on no token of the run is valid anyway; milliseconds since 1970 in UTC.
-- Portable SQL: SQLite 3.35 and PostgreSQL.
CREATE TABLE run_ends (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    ended INTEGER NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX run_ends_of_run ON run_ends (run_id, seq);

-- Those that ended before this table was there; 31 days, as the process counts.
INSERT INTO run_ends (run_id, ended, expires_at)
SELECT run_id, 1, MAX(created_at) + 2678400000 FROM runs WHERE run_id IS NOT NULL GROUP BY run_id HAVING MIN(CASE WHEN outcome = 'running' THEN 0 ELSE 1 END) = 1 ORDER BY MIN(seq);
