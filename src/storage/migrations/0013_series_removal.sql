-- Series of which no sample is kept go, so that a site whose series come and go does not carry all that ever were.

-- Names of series that are gone, kept for the anomalies that speak of them.
create table removed_series (
  tenant_id int not null,
  id int not null,
  metric_name text not null,
  labels jsonb not null,
  removed_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
revoke insert, update, delete on removed_series from sensus_app;
create view known_series as
  select tenant_id, id, metric_name, labels from series
  union all
  select tenant_id, id, metric_name, labels from removed_series;
revoke insert, update, delete on known_series from sensus_app;

create or replace view analyses as
select r.tenant_id, r.id, r.analysis_type, r.alert_id, a.alert_name, r.series_id, s.metric_name, coalesce(a.labels, s.labels) as labels,
       r.model_name, r.model_version, r.observed_at, r.analysis_data, r.confidence_score, r.score, r.created_at
from ai_analysis_results r
left join alerts a on a.tenant_id = r.tenant_id and a.id = r.alert_id
left join known_series s on s.tenant_id = r.tenant_id and s.id = r.series_id;

-- Looks at up to `count_max` series of one tenant after (after_tenant, after_id) and removes those of which nothing is kept. Returns the
-- last one looked at, null when there is none; no row when another replica is at upkeep.
--
-- Why no sample can be orphaned: a writer gives samples to an id only while last_seen is younger than 25 hours, or renews it in the
-- transaction that writes (ingest::SeriesCache states that rule). So last_seen has to be older, and the DELETE says so itself: after
-- waiting for a writer that holds the row it looks again. A batch row with the series was written less than 25 hours after last_seen, and
-- holds times of at most a day later than that: so the day of the oldest batch row tells that there is none, without a look into arrays.
create function remove_idle_series(after_tenant int, after_id int, count_max int)
returns table (last_tenant int, last_id int, looked bigint, removed bigint)
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  part record;
  filled boolean;
  oldest timestamptz;
  idle_since timestamptz;
begin
  if not pg_try_advisory_xact_lock(6072340122) then
    return;
  end if;
  select min(t_min) into oldest from sample_batches_default;
  for part in
    select c.relname as name, sample_day_start(to_date(right(c.relname, 8), 'YYYYMMDD')) as starts
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'sensus.sample_batches'::regclass and c.relname ~ '^sample_batches_\d{8}$'
    order by c.relname
  loop
    execute format('select exists (select from %I)', part.name) into filled;
    if filled then
      oldest := least(oldest, part.starts);
      exit;
    end if;
  end loop;
  idle_since := least(now() - interval '25 hours', oldest - interval '49 hours');

  select s.tenant_id into last_tenant from series s where (s.tenant_id, s.id) > (after_tenant, after_id) order by s.tenant_id, s.id limit 1;
  if last_tenant is distinct from after_tenant then
    after_id := 0;
  end if;
  select max(x.id), count(*) into last_id, looked
  from (select s.id from series s where s.tenant_id = last_tenant and s.id > after_id order by s.id limit count_max) x;
  with gone as (
    delete from series s
    where s.tenant_id = last_tenant and s.id > after_id and s.id <= last_id and s.last_seen < idle_since
      -- OFFSET 0 keeps these what they are: a look into an index for each series that is idle, the longest kept first.
      and not exists (select from rollups_1h r where r.tenant_id = s.tenant_id and r.series_id = s.id offset 0)
      and not exists (select from rollups_5m r where r.tenant_id = s.tenant_id and r.series_id = s.id offset 0)
      and not exists (select from sample_chunks c where c.tenant_id = s.tenant_id and c.series_id = s.id offset 0)
    returning s.tenant_id, s.id, s.metric_name, s.labels
  ), named as (
    insert into removed_series (tenant_id, id, metric_name, labels)
    select g.tenant_id, g.id, g.metric_name, g.labels from gone g
    where exists (select from ai_analysis_results a
                  where a.tenant_id = g.tenant_id and a.series_id = g.id and a.analysis_type = 'anomaly_detection' offset 0)
  )
  select count(*) into removed from gone;
  return next;
end
$$;
grant execute on function remove_idle_series(int, int, int) to sensus_app;
