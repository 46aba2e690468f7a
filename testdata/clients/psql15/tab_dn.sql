SELECT nspname FROM pg_catalog.pg_namespace  WHERE nspname LIKE 'de%'
LIMIT 1000;
