#include "pg/bootstrap_internal.hpp"

namespace sensus::pg {

// Roles are shared by all databases of a cluster, so two databases may be set up at once: losing
// that race is fine.
const std::string_view kBootstrapSql = R"sql(
do $$
declare
  wanted record;
begin
  for wanted in select * from (values ('sensus_owner', 'nologin'), ('sensus_app', 'login'), ('sensus_grafana', 'login')) r(name, kind)
  loop
    if not exists (select from pg_roles where rolname = wanted.name) then
      begin
        execute format('create role %I %s', wanted.name, wanted.kind);
        if wanted.name = 'sensus_grafana' then
          -- A limit on what a panel may cost.
          alter role sensus_grafana set statement_timeout = '30s';
          alter role sensus_grafana set default_transaction_read_only = on;
        end if;
      exception
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
          raise exception 'role % is missing and % may not create it; an administrator must run deploy/postgres/roles.sql',
            wanted.name, current_user;
      end;
    end if;
  end loop;

  if not pg_has_role(current_user, 'sensus_owner', 'member') then
    begin
      execute format('grant sensus_owner to %I', current_user);
    exception when insufficient_privilege then
      raise exception '% is not a member of sensus_owner; an administrator must run: grant sensus_owner to %',
        current_user, current_user;
    end;
  end if;

  if not exists (select from pg_namespace where nspname = 'sensus') then
    begin
      create schema sensus authorization sensus_owner;
    exception when insufficient_privilege then
      raise exception 'schema sensus is missing and % may not create it; an administrator must run: grant create on database % to %',
        current_user, current_database(), current_user;
    end;
  end if;

  -- So that plain "select * from alerts" works in psql and Grafana. A setting that somebody made stays.
  if not exists (select from pg_db_role_setting s, unnest(s.setconfig) c
                 where s.setdatabase = (select oid from pg_database where datname = current_database())
                   and s.setrole = 0 and c like 'search_path=%')
     and pg_has_role(current_user, (select datdba from pg_database where datname = current_database()), 'usage') then
    execute format('alter database %I set search_path = sensus, public', current_database());
  end if;
end
$$;

set local role sensus_owner;
grant usage on schema sensus to sensus_app, sensus_grafana;
alter default privileges for role sensus_owner in schema sensus grant select, insert, update, delete on tables to sensus_app;
alter default privileges for role sensus_owner in schema sensus grant usage on sequences to sensus_app;
alter default privileges for role sensus_owner revoke execute on functions from public;
create table if not exists sensus.schema_migrations (
  version int primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  applied_by text not null default session_user
);
revoke insert, update, delete on sensus.schema_migrations from sensus_app;
)sql";

}  // namespace sensus::pg
