-- The roles of a Sensus database. Run once a cluster by a superuser, before the first start, then
--   CREATE DATABASE sensus OWNER sensus_owner;
-- Roles come without a password: set one (ALTER ROLE ... PASSWORD) or let pg_hba.conf decide who may be whom.
-- Harmless to run again. `sensusd --embedded` runs it through `postgres --single -j`, which takes an empty line after a semicolon
-- as the end of a statement: keep one between statements and none inside them.

-- Owns the schema and applies migrations; the daemon connects as it only to migrate.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sensus_owner') THEN
    CREATE ROLE sensus_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
END
$$;

-- The daemon: reads and writes rows, owns nothing, runs no DDL.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sensus_app') THEN
    CREATE ROLE sensus_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
END
$$;

-- Dashboards: reads views, with a limit on what a panel may cost.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sensus_grafana') THEN
    CREATE ROLE sensus_grafana LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    ALTER ROLE sensus_grafana SET statement_timeout = '30s';
    ALTER ROLE sensus_grafana SET default_transaction_read_only = on;
  END IF;
END
$$;
