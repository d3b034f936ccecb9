#!/bin/bash
# Run once by the postgres image, after roles.sql: passwords for the roles, and the database.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -U postgres -v password="$SENSUS_DATABASE_PASSWORD" <<'SQL'
ALTER ROLE sensus_owner PASSWORD :'password';
ALTER ROLE sensus_app PASSWORD :'password';
CREATE DATABASE sensus OWNER sensus_owner;
REVOKE ALL ON DATABASE sensus FROM PUBLIC;
GRANT CONNECT ON DATABASE sensus TO sensus_app, sensus_grafana;
SQL
