 SELECT name    FROM pg_catalog.pg_cursors   WHERE name LIKE 'a%'
LIMIT 1000;
