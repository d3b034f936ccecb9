-- For administrators who do not let Sensus create its roles. Run once a cluster as a superuser:
--   psql -v ON_ERROR_STOP=1 -f deploy/postgres/roles.sql
-- then once for the database (here "sensus") the lines at the end. Passwords are set apart, e.g. \password sensus_app.

-- Owns the schema; migrations run as it. Nobody logs in as it.
create role sensus_owner nologin;
-- The daemon: reads and writes rows, has no DDL and owns nothing.
create role sensus_app login;
-- Grafana: reads the views metrics, alert_episodes, analyses and the function sensus.samples.
create role sensus_grafana login;
-- The login of database.migration_url; any member of sensus_owner will do.
create role sensus_migrate login;
grant sensus_owner to sensus_migrate;

-- In the database:
--   create database sensus;
--   grant create on database sensus to sensus_migrate;
--   alter database sensus set search_path = sensus, public;
