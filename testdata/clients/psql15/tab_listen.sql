 SELECT channel    FROM pg_catalog.pg_listening_channels() AS channel   WHERE channel LIKE 'a%'
LIMIT 1000;
