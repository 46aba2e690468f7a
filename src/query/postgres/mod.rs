//! PostgreSQL compatibility: rewrites of statements before planning, and the functions clients call.
