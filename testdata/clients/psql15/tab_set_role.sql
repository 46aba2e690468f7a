 SELECT rolname    FROM pg_catalog.pg_roles   WHERE rolname LIKE 'po%'
LIMIT 1000;
