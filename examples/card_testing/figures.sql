-- Detection at a false-positive rate of 1 % by what served, between one turn and the next: of all attempts, of those whose pattern was
-- the newest then, and of all by the first checkpoint, had it never been replaced. The truth is what the simulation told when all
-- was over, as `outcome.fraud` and `outcome.newest_pattern`; nothing was trained on it.
WITH scored AS (
  SELECT CAST(tags['period'] AS INTEGER) AS turn, CAST(json_extract(response_text, '$.score') AS DOUBLE) AS score,
    CAST(json_extract(response_text, '$.first_score') AS DOUBLE) AS first_score, started_at,
    interaction_id IN (SELECT interaction_id FROM signals WHERE name = 'outcome.fraud' AND value = 1) AS fraud,
    interaction_id IN (SELECT interaction_id FROM signals WHERE name = 'outcome.newest_pattern' AND value = 1) AS newest
  FROM interactions
  WHERE application = 'payments' AND checkpoint_id IS NOT NULL
), bars AS (
  SELECT turn, quantile_disc(score, 0.99) FILTER (WHERE NOT fraud) AS bar,
    quantile_disc(first_score, 0.99) FILTER (WHERE NOT fraud) AS first_bar
  FROM scored GROUP BY turn
)
SELECT turn, min(started_at) AS since, count(*) FILTER (WHERE fraud) AS frauds, count(*) FILTER (WHERE NOT fraud) AS honest,
  avg(CAST(score > bar AS INTEGER)) FILTER (WHERE fraud) AS detected,
  avg(CAST(score > bar AS INTEGER)) FILTER (WHERE newest) AS detected_of_newest,
  avg(CAST(first_score > first_bar AS INTEGER)) FILTER (WHERE fraud) AS detected_by_first,
  avg(CAST(score > bar AS INTEGER)) FILTER (WHERE NOT fraud) AS false_positives
FROM scored JOIN bars USING (turn)
GROUP BY turn ORDER BY turn
