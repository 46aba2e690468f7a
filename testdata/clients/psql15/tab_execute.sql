 SELECT name    FROM pg_catalog.pg_prepared_statements   WHERE name LIKE 'a%'
LIMIT 1000;
