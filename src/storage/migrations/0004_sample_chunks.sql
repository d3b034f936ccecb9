-- Compaction: batch rows of closed days become one row a series and window of six hours.

-- The time of element i (from 1) is t_min + (i - 1) * step_us + drift_us[i]. Of a series that comes every `step_us` the drifts are
-- runs of one number, which lz4 removes; and a time needs no sum over those before it.
create table sample_chunks (
  tenant_id int not null,
  series_id int not null,
  t_min timestamptz not null,
  t_max timestamptz not null,
  step_us bigint not null,
  drift_us bigint[] not null,
  value float8[] not null,
  primary key (tenant_id, series_id, t_min)
) partition by range (t_min);
comment on table sample_chunks is 'Samples of one series in one window of six hours, ascending, each time once. Written by compact_samples only. '
  'A sample in sample_batches wins over one of the same series and time here.';
do $$
begin
  alter table sample_chunks alter column drift_us set compression lz4;
  alter table sample_chunks alter column value set compression lz4;
exception when feature_not_supported then null;
end
$$;

-- What was compacted of a day: of each bucket how many batch rows. It ends when the day's batch rows are gone.
create table sample_compactions (
  tenant_id int not null,
  day date not null,
  bucket smallint not null,
  batches bigint not null,
  done_by xid8 not null default pg_current_xact_id(),
  done_at timestamptz not null default now(),
  primary key (tenant_id, day, bucket)
);

-- Days that have chunks.
create table sample_days (
  tenant_id int not null,
  day date not null,
  t_max timestamptz not null,
  compacted_at timestamptz not null default now(),
  primary key (tenant_id, day)
);

create function sample_day_start(day date) returns timestamptz
  language sql immutable strict parallel safe
  return (day::timestamp at time zone 'UTC');

-- The time of the n-th element of a chunk.
create function chunk_time(t_min timestamptz, step_us bigint, drift_us bigint, n bigint) returns timestamptz
  language sql immutable strict parallel safe
  return t_min + ((n - 1) * step_us + drift_us) * interval '1 microsecond';

-- Buckets of closed days whose batch rows are not all in chunks, oldest day first; a day whose buckets are all done and whose batch rows
-- are still there comes with bucket null: it wants finish_compaction. `until`: days that end by then are closed.
create function compaction_backlog(until timestamptz)
returns table (day date, tenant_id int, bucket smallint, batches bigint)
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
#variable_conflict use_column
declare
  part record;
  pending bigint;
begin
  for part in
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day, c.relname as name
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'sensus.sample_batches'::regclass and c.relname ~ '^sample_batches_\d{8}$'
    order by c.relname
  loop
    exit when sample_day_start(part.day + 1) > until;
    return query execute format(
      'select %L::date, x.tenant_id, x.bucket, x.batches from (select tenant_id, bucket, count(*) as batches from %I group by 1, 2) x '
      'left join sample_compactions d on d.tenant_id = x.tenant_id and d.day = %L and d.bucket = x.bucket '
      'where d.batches is distinct from x.batches order by 2, 3', part.day, part.name, part.day);
    get diagnostics pending = row_count;
    if pending = 0 and exists (select from sample_compactions d where d.day = part.day) then
      return query select part.day, null::int, null::smallint, 0::bigint;
    end if;
  end loop;
end
$$;

-- A step: the batch rows of one bucket of a day, and what chunks its series have in that day, become new chunks. The batch rows stay
-- until finish_compaction, so a step may be lost or come twice. Returns the samples written; null when another replica is at it.
create function compact_samples(day date, tenant int, bucket smallint)
returns bigint
language plpgsql volatile security definer set search_path = sensus, pg_temp set work_mem = '64MB' set jit = off
as $$
declare
  batch_part text := 'sample_batches_' || to_char(day, 'YYYYMMDD');
  chunk_part text := 'sample_chunks_' || to_char(day, 'YYYYMMDD');
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
      select f.s, array_agg(f.t) as ts, array_agg(f.v) as vs
      from fresh f group by f.s, date_bin(interval '6 hours', f.t, $3)
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
  $q$, batch_part, chunk_part) into samples, newest using tenant, bucket, day_start;
  insert into sample_compactions (tenant_id, day, bucket, batches) values (tenant, compact_samples.day, compact_samples.bucket, batch_count)
    on conflict on constraint sample_compactions_pkey
    do update set batches = excluded.batches, done_by = excluded.done_by, done_at = excluded.done_at;
  if samples > 0 then
    insert into sample_days (tenant_id, day, t_max) values (tenant, compact_samples.day, newest)
      on conflict on constraint sample_days_pkey
      do update set t_max = greatest(sample_days.t_max, excluded.t_max), compacted_at = excluded.compacted_at;
  end if;
  return samples;
end
$$;

-- Empties the partition of a day whose buckets are all compacted, at once and with its files; it stays there for late samples until
-- retention drops it. Not while a statement runs that began before the chunks were there: it would see neither. Returns what came of
-- it: 'emptied', 'changed' (rows came meanwhile), 'readers' (an older statement runs), 'busy' (another replica), 'none'.
create function finish_compaction(day date)
returns text
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  batch_part text := 'sample_batches_' || to_char(day, 'YYYYMMDD');
  differs boolean;
begin
  if not pg_try_advisory_xact_lock(6072340122) then
    return 'busy';
  end if;
  if to_regclass('sensus.' || batch_part) is null then
    delete from sample_compactions d where d.day = finish_compaction.day;
    return 'none';
  end if;
  -- What a snapshot of xmin x does not see is x and later. Ages, because xmin has no epoch.
  if exists (
    select from pg_stat_activity a
    where a.backend_xmin is not null and a.pid <> pg_backend_pid() and (a.datid is null or a.datname = current_database())
      and age(a.backend_xmin) >= (select min(age(d.done_by::xid)) from sample_compactions d where d.day = finish_compaction.day)
  ) then
    return 'readers';
  end if;
  set local lock_timeout = '1s';
  execute format('lock table %I in access exclusive mode', batch_part);
  execute format(
    'select exists (select from (select tenant_id, bucket, count(*) as batches from %I group by 1, 2) x '
    'full join (select * from sample_compactions d where d.day = $1) d on d.tenant_id = x.tenant_id and d.bucket = x.bucket '
    'where d.batches is distinct from x.batches)', batch_part) into differs using day;
  if differs then
    return 'changed';
  end if;
  execute format('truncate table %I', batch_part);
  delete from sample_compactions d where d.day = finish_compaction.day;
  return 'emptied';
end
$$;

-- The views of before, now of batch rows and chunks.
create or replace view metrics as
select s.tenant_id, s.metric_name, x.value as metric_value, s.labels, x.ts as "timestamp", s.id as series_id
from series s
cross join lateral (
  select distinct on (y.t) y.t as ts, y.v as value
  from (
    select u.t, u.v, b.written_at, u.n
    from sample_batches b
    cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(s, t, v, n)
    where b.tenant_id = s.tenant_id and b.bucket = sample_bucket(s.id) and u.s = s.id
    union all
    select chunk_time(c.t_min, c.step_us, u.d, u.n), u.v, '-infinity', u.n
    from sample_chunks c
    cross join lateral unnest(c.drift_us, c.value) with ordinality u(d, v, n)
    where c.tenant_id = s.tenant_id and c.series_id = s.id
  ) y
  order by y.t, y.written_at desc, y.n desc
) x;

create or replace function samples(name text, matchers jsonb, "from" timestamptz, "to" timestamptz, tenant int default 1)
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
    select distinct on (y.s, y.t) y.s as id, y.t as ts, y.v as value
    from (
      select u.s, u.t, u.v, b.written_at, u.n
      from sample_batches b
      cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(s, t, v, n)
      where b.tenant_id = tenant and b.bucket = any(buckets)
        and b.t_min >= date_trunc('day', "from", 'UTC') and b.t_min < "to" and b.t_max >= "from"
        and u.s = any(ids) and u.t >= "from" and u.t < "to"
      union all
      select c.series_id, d.t, u.v, '-infinity', u.n
      from sample_chunks c
      cross join lateral unnest(c.drift_us, c.value) with ordinality u(d, v, n)
      cross join lateral (select chunk_time(c.t_min, c.step_us, u.d, u.n) as t) d
      where c.tenant_id = tenant and c.series_id = any(ids)
        and c.t_min >= date_trunc('day', "from", 'UTC') and c.t_min < "to" and c.t_max >= "from"
        and d.t >= "from" and d.t < "to"
    ) y
    order by y.s, y.t, y.written_at desc, y.n desc
  ) x
  join series s on s.tenant_id = tenant and s.id = x.id;
end
$$;

grant execute on function compaction_backlog(timestamptz), compact_samples(date, int, smallint), finish_compaction(date) to sensus_app;
grant execute on function chunk_time(timestamptz, bigint, bigint, bigint), sample_day_start(date) to sensus_app, sensus_grafana;
revoke insert, update, delete on sample_chunks, sample_compactions, sample_days from sensus_app;
