 SELECT extname    FROM pg_catalog.pg_extension   WHERE extname LIKE 'pl%'
LIMIT 1000;
