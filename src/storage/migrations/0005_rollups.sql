-- Rollups: what compaction makes of a day beside its chunks, for long ranges. Element i is the slot `slot[i]` (of 5 minutes or of an
-- hour) since t_min: lowest, highest, sum, number and newest of its samples.
create table rollups_5m (
  tenant_id int not null,
  series_id int not null,
  t_min timestamptz not null,
  slot smallint[] not null,
  lowest float8[] not null,
  highest float8[] not null,
  total float8[] not null,
  samples int[] not null,
  newest float8[] not null,
  primary key (tenant_id, series_id, t_min)
) partition by range (t_min);
comment on table rollups_5m is 'Slots of 5 minutes of one series in six hours from t_min. Written by compact_samples only.';
do $$
declare
  col text;
begin
  foreach col in array array['slot', 'lowest', 'highest', 'total', 'samples', 'newest'] loop
    execute format('alter table rollups_5m alter column %I set compression lz4', col);
  end loop;
exception when feature_not_supported then null;
end
$$;
create table rollups_1h (like rollups_5m including all) partition by range (t_min);
comment on table rollups_1h is 'Slots of an hour of one series in six hours from t_min. Written by compact_samples only.';
revoke insert, update, delete on rollups_5m, rollups_1h from sensus_app;

-- Days that were compacted before there were rollups have none, and are read from their chunks.
alter table sample_days add column rolled_up boolean not null default false;

-- The partitions of a day's rollups: a month each.
create function make_rollup_partitions(day date) returns void
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  month constant date := date_trunc('month', day::timestamp)::date;
  parent text;
  part text;
begin
  foreach parent in array array['rollups_5m', 'rollups_1h'] loop
    part := parent || '_' || to_char(month, 'YYYYMM');
    if to_regclass('sensus.' || part) is null then
      execute format('create table %I (like %I including defaults including compression)', part, parent);
      execute format('revoke insert, update, delete on %I from sensus_app', part);
      execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, sample_day_start(month),
                     sample_day_start((month + interval '1 month')::date));
    end if;
  end loop;
end
$$;

-- As before, with the rollups.
create or replace function compact_samples(day date, tenant int, bucket smallint)
returns bigint
language plpgsql volatile security definer set search_path = sensus, pg_temp set work_mem = '64MB' set jit = off
as $$
declare
  batch_part text := 'sample_batches_' || to_char(day, 'YYYYMMDD');
  chunk_part text := 'sample_chunks_' || to_char(day, 'YYYYMMDD');
  rollup_month text := to_char(day, 'YYYYMM');
  day_start constant timestamptz := sample_day_start(day);
  batch_count bigint;
  samples bigint;
  newest timestamptz;
begin
  if not pg_try_advisory_xact_lock(6072340122) then
    return null;
  end if;
  if to_regclass('sensus.' || batch_part) is null then
    return 0;
  end if;
  if to_regclass('sensus.' || chunk_part) is null then
    execute format('create table %I (like sample_chunks including defaults including compression)', chunk_part);
    execute format('alter table sample_chunks attach partition %I for values from (%L) to (%L)', chunk_part, day_start,
                   sample_day_start(day + 1));
    execute format('revoke insert, update, delete on %I from sensus_app', chunk_part);
  end if;
  perform make_rollup_partitions(day);
  -- Counted first: rows that come from here on make the count differ, and the bucket is done again.
  execute format('select count(*) from %I where tenant_id = $1 and bucket = $2', batch_part) into batch_count using tenant, bucket;
  execute format($q$
    with late as materialized (
      -- Only a day that has chunks can have some of these series.
      select distinct u.s from sensus.%1$I b cross join lateral unnest(b.series_id) u(s)
      where b.tenant_id = $1 and b.bucket = $2 and exists (select from sensus.%2$I)
    ), replaced as (
      delete from sensus.%2$I c using late where c.tenant_id = $1 and c.series_id = late.s
      returning c.series_id, c.t_min, c.step_us, c.drift_us, c.value
    ), fresh as (
      select distinct on (x.s, x.t) x.s, x.t, x.v
      from (
        select u.s, u.t, u.v, b.written_at, u.n
        from sensus.%1$I b cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(s, t, v, n)
        where b.tenant_id = $1 and b.bucket = $2
        union all
        select r.series_id, chunk_time(r.t_min, r.step_us, u.d, u.n), u.v, '-infinity'::timestamptz, u.n
        from replaced r cross join lateral unnest(r.drift_us, r.value) with ordinality u(d, v, n)
      ) x
      order by x.s, x.t, x.written_at desc, x.n desc
    ), packed as (
      select f.s, date_bin(interval '6 hours', f.t, $3) as w, array_agg(f.t) as ts, array_agg(f.v) as vs
      from fresh f group by 1, 2
    ), rolled_5m as (
      insert into sensus.%3$I as r (tenant_id, series_id, t_min, slot, lowest, highest, total, samples, newest)
      select $1, p.s, p.w, x.slot, x.lowest, x.highest, x.total, x.samples, x.newest
      from packed p
      cross join lateral (
        select array_agg(y.slot order by y.slot) as slot, array_agg(y.lowest order by y.slot) as lowest,
               array_agg(y.highest order by y.slot) as highest, array_agg(y.total order by y.slot) as total,
               array_agg(y.samples order by y.slot) as samples, array_agg(p.vs[y.n] order by y.slot) as newest
        from (select floor(date_part('epoch', u.t - p.w) / 300)::smallint as slot, min(u.v) as lowest, max(u.v) as highest,
                     sum(u.v) as total, count(*)::int as samples, max(u.n) as n
              from unnest(p.ts, p.vs) with ordinality u(t, v, n) group by 1) y
      ) x
      on conflict (tenant_id, series_id, t_min) do update set slot = excluded.slot, lowest = excluded.lowest,
        highest = excluded.highest, total = excluded.total, samples = excluded.samples, newest = excluded.newest
      returning r.series_id, r.t_min, r.slot, r.lowest, r.highest, r.total, r.samples, r.newest
    ), rolled_1h as (
      insert into sensus.%4$I (tenant_id, series_id, t_min, slot, lowest, highest, total, samples, newest)
      select $1, r.series_id, r.t_min, x.slot, x.lowest, x.highest, x.total, x.samples, x.newest
      from rolled_5m r
      cross join lateral (
        select array_agg(y.slot order by y.slot) as slot, array_agg(y.lowest order by y.slot) as lowest,
               array_agg(y.highest order by y.slot) as highest, array_agg(y.total order by y.slot) as total,
               array_agg(y.samples order by y.slot) as samples, array_agg(r.newest[y.n] order by y.slot) as newest
        from (select (u.slot / 12)::smallint as slot, min(u.lowest) as lowest, max(u.highest) as highest, sum(u.total) as total,
                     sum(u.samples)::int as samples, max(u.n) as n
              from unnest(r.slot, r.lowest, r.highest, r.total, r.samples) with ordinality u(slot, lowest, highest, total, samples, n)
              group by 1) y
      ) x
      on conflict (tenant_id, series_id, t_min) do update set slot = excluded.slot, lowest = excluded.lowest,
        highest = excluded.highest, total = excluded.total, samples = excluded.samples, newest = excluded.newest
    ), written as (
      insert into sensus.%2$I (tenant_id, series_id, t_min, t_max, step_us, drift_us, value)
      select $1, p.s, p.ts[1], p.ts[cardinality(p.ts)], g.step_us,
             array(select (date_part('epoch', u.t - p.ts[1]) * 1e6)::bigint - (u.n - 1) * g.step_us
                   from unnest(p.ts) with ordinality u(t, n) order by u.n), p.vs
      from packed p
      cross join lateral (
        -- The most frequent distance between neighbours at nine places: a drift stays the same until a sample is missing.
        select coalesce(mode() within group (order by d.us), 0)::bigint as step_us
        from (select (date_part('epoch', p.ts[k.i + 1] - p.ts[k.i]) * 1e6)::bigint as us
              from (select distinct 1 + (cardinality(p.ts) - 2) * j / 8 as i from generate_series(0, 8) j) k
              where cardinality(p.ts) > 1) d
      ) g
      returning t_max, cardinality(value) as n
    )
    select coalesce(sum(n), 0), max(t_max) from written
  $q$, batch_part, chunk_part, 'rollups_5m_' || rollup_month, 'rollups_1h_' || rollup_month) into samples, newest using tenant, bucket, day_start;
  insert into sample_compactions (tenant_id, day, bucket, batches) values (tenant, compact_samples.day, compact_samples.bucket, batch_count)
    on conflict on constraint sample_compactions_pkey
    do update set batches = excluded.batches, done_by = excluded.done_by, done_at = excluded.done_at;
  if samples > 0 then
    insert into sample_days (tenant_id, day, t_max, rolled_up) values (tenant, compact_samples.day, newest, true)
      on conflict on constraint sample_days_pkey
      do update set t_max = greatest(sample_days.t_max, excluded.t_max), compacted_at = excluded.compacted_at;
  end if;
  return samples;
end
$$;
