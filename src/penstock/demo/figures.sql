-- Per phase of the demo and language: requests, suggestions shown and kept, and the reward, all from the lake.
WITH standing AS (
    SELECT interaction_id, value FROM labels
    WHERE dimension = 'reward'
      AND label_id NOT IN (SELECT supersedes FROM labels WHERE supersedes IS NOT NULL)
), fates AS (
    SELECT interaction_id, max(value) FILTER (name = 'acceptance') AS kept
    FROM signals WHERE name IN ('acceptance', 'silent') GROUP BY interaction_id
)
SELECT i.tags['phase'] AS phase,
       i.segment AS language,
       count(*) AS requests,
       count(f.interaction_id) AS signals,
       count(l.value) AS labels,
       count(f.kept) AS suggestions,
       count(*) FILTER (f.kept >= 0.5) AS accepted,
       coalesce(sum(l.value), 0) AS reward,
       coalesce(sum(l.value * l.value), 0) AS reward_squared
FROM interactions i
LEFT JOIN fates f ON f.interaction_id = i.interaction_id
LEFT JOIN standing l ON l.interaction_id = i.interaction_id
WHERE i.exposure = 'simulated' AND i.tags['phase'] IS NOT NULL
GROUP BY ALL
ORDER BY phase, language
