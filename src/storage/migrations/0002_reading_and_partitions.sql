-- What people and Grafana read, and how partitions are made by a role without DDL.

-- The seed's columns. Filters on metric_name and labels reach the series, so only their buckets are read; a filter on time cannot
-- choose partitions here: use samples() for large windows.
create view metrics as
select s.tenant_id, s.metric_name, x.value as metric_value, s.labels, x.ts as "timestamp", s.id as series_id
from series s
cross join lateral (
  select distinct on (u.t) u.t as ts, u.v as value
  from sample_batches b
  cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(s, t, v, n)
  where b.tenant_id = s.tenant_id and b.bucket = sample_bucket(s.id) and u.s = s.id
  order by u.t, b.written_at desc, u.n desc
) x;

-- Samples of the series of one name whose labels contain `matchers`, in ["from", "to"): reads only their buckets and days.
create function samples(name text, matchers jsonb, "from" timestamptz, "to" timestamptz, tenant int default 1)
returns table (metric_name text, labels jsonb, "timestamp" timestamptz, metric_value double precision, series_id int)
language plpgsql stable security definer set search_path = sensus, pg_temp
as $$
declare
  ids int[];
  buckets smallint[];
begin
  select array_agg(s.id), array_agg(distinct sample_bucket(s.id)) into ids, buckets
  from series s where s.tenant_id = tenant and s.metric_name = name and s.labels @> coalesce(matchers, '{}');
  return query
  select s.metric_name, s.labels, x.ts, x.value, s.id
  from (
    select distinct on (u.s, u.t) u.s as id, u.t as ts, u.v as value
    from sample_batches b
    cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(s, t, v, n)
    where b.tenant_id = tenant and b.bucket = any(buckets)
      and b.t_min >= date_trunc('day', "from", 'UTC') and b.t_min < "to" and b.t_max >= "from"
      and u.s = any(ids) and u.t >= "from" and u.t < "to"
    order by u.s, u.t, b.written_at desc, u.n desc
  ) x
  join series s on s.tenant_id = tenant and s.id = x.id;
end
$$;

create view alert_episodes as
select tenant_id, id, alert_name, severity, status, description, labels, annotations, starts_at, ends_at, generator_url, receiver,
       fingerprint, receive_count, created_at, last_received_at
from alerts;

create view analyses as
select r.tenant_id, r.id, r.analysis_type, r.alert_id, a.alert_name, r.series_id, s.metric_name, coalesce(a.labels, s.labels) as labels,
       r.model_name, r.model_version, r.observed_at, r.analysis_data, r.confidence_score, r.score, r.created_at
from ai_analysis_results r
left join alerts a on a.tenant_id = r.tenant_id and a.id = r.alert_id
left join series s on s.tenant_id = r.tenant_id and s.id = r.series_id;

-- Makes the missing daily partitions from one day to another (both included), moving rows that fell into the default partition.
-- A new partition is filled first and then attached, so that writers wait only for the attaching.
create function make_partitions(from_day date, to_day date)
returns table (created bigint, default_rows bigint)
language plpgsql security definer set search_path = sensus, pg_temp
as $$
declare
  d date;
  part text;
  lower_bound timestamptz;
  upper_bound timestamptz;
begin
  if from_day is null or to_day is null or to_day - from_day > 400 then
    raise exception 'make_partitions: a range of at most 400 days' using errcode = '22023';
  end if;
  created := 0;
  -- Replicas do this at the same time.
  perform pg_advisory_xact_lock(6072340121);
  for d in select g::date from generate_series(from_day::timestamp, to_day::timestamp, interval '1 day') g loop
    part := 'sample_batches_' || to_char(d, 'YYYYMMDD');
    if to_regclass('sensus.' || part) is null then
      lower_bound := d::timestamp at time zone 'UTC';
      upper_bound := (d + 1)::timestamp at time zone 'UTC';
      execute format('create table %I (like sample_batches including defaults including compression)', part);
      if exists (select from sample_batches_default x where x.t_min >= lower_bound and x.t_min < upper_bound) then
        lock table sample_batches_default in access exclusive mode;
        execute format('with moved as (delete from sample_batches_default where t_min >= %L and t_min < %L returning *) '
                       'insert into %I select * from moved', lower_bound, upper_bound, part);
      end if;
      execute format('alter table sample_batches attach partition %I for values from (%L) to (%L)', part, lower_bound, upper_bound);
      created := created + 1;
    end if;
  end loop;
  select count(*) into default_rows from (select from sample_batches_default limit 1000000) x;
  return next;
end
$$;

grant execute on function sample_bucket(int), samples(text, jsonb, timestamptz, timestamptz, int) to sensus_app, sensus_grafana;
grant execute on function make_partitions(date, date) to sensus_app;
grant select on metrics, alert_episodes, analyses to sensus_grafana;
revoke insert, update, delete on metrics, alert_episodes, analyses from sensus_app;
