SELECT datname FROM pg_catalog.pg_database  WHERE datname LIKE 'tri%'
LIMIT 1000;

 SELECT rolname    FROM pg_catalog.pg_roles   WHERE rolname LIKE '%'
LIMIT 1000;
