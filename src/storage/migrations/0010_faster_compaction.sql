-- Compaction in one pass: what a step reads of batch rows becomes arrays by hashing, without a sort, and is sorted only for series whose
-- samples did not come in order. Chunks are made of those arrays, so are rollups of 5 minutes, and rollups of an hour of them.
-- Rollups leave NaN out, which is no value, and their totals end no statement (safe_total).

-- `us`: times since a window's start, ascending. SQL functions of one statement become part of the statement that calls them.
create function roll_up_5m(us bigint[], vs float8[])
returns table (slot smallint[], lowest float8[], highest float8[], total float8[], samples int[], newest float8[])
language sql immutable parallel safe
as $$
  select array_agg(y.slot), array_agg(y.lowest), array_agg(y.highest),
         array_agg(case when y.far is null then y.near else sensus.safe_total(y.near, y.far) end), array_agg(y.samples), array_agg(vs[y.last])
  from (select (x.us / 300000000)::smallint as slot, min(x.v) as lowest, max(x.v) as highest, count(*)::int as samples, max(x.n) as last,
               sum(x.v) filter (where abs(x.v) < 1e290) as near, sum(x.v * 2::float8 ^ -64) filter (where abs(x.v) >= 1e290) as far
        from (select unnest(us) as us, unnest(vs) as v, generate_series(1, cardinality(us)) as n) x
        where x.v <> 'NaN' group by 1 order by 1) y
$$;

create function roll_up_1h(slot smallint[], lowest float8[], highest float8[], total float8[], samples int[], newest float8[])
returns table (slot_1h smallint[], lowest_1h float8[], highest_1h float8[], total_1h float8[], samples_1h int[], newest_1h float8[])
language sql immutable parallel safe
as $$
  select array_agg(y.slot), array_agg(y.lowest), array_agg(y.highest),
         array_agg(case when y.far is null then y.near else sensus.safe_total(y.near, y.far) end), array_agg(y.samples), array_agg(newest[y.last])
  from (select (x.slot / 12)::smallint as slot, min(x.lowest) as lowest, max(x.highest) as highest, sum(x.samples)::int as samples,
               max(x.n) as last, sum(x.total) filter (where abs(x.total) < 1e290) as near,
               sum(x.total * 2::float8 ^ -64) filter (where abs(x.total) >= 1e290) as far
        from (select unnest(slot) as slot, unnest(lowest) as lowest, unnest(highest) as highest, unnest(total) as total,
                     unnest(samples) as samples, generate_series(1, cardinality(slot)) as n) x
        group by 1 order by 1) y
$$;

-- The samples of a series in ascending order, each time once: of equal times the highest rank wins, then the later element.
create function order_samples(us bigint[], vs float8[], ranks bigint[])
returns table (ordered_us bigint[], ordered_vs float8[])
language sql immutable parallel safe
as $$
  select array_agg(y.us order by y.us), array_agg(y.v order by y.us)
  from (select distinct on (x.us) x.us, x.v from unnest(us, vs, ranks) with ordinality x(us, v, r, n) order by x.us, x.r desc, x.n desc) y
$$;

-- The most frequent distance between neighbours at nine places: a drift stays the same until a sample is missing.
create function usual_step(us bigint[]) returns bigint
language sql immutable parallel safe
as $$
  select coalesce(mode() within group (order by us[k.i + 1] - us[k.i]), 0)::bigint
  from (select distinct 1 + (cardinality(us) - 2) * j / 8 as i from generate_series(0, 8) j) k
  where cardinality(us) > 1
$$;

-- The windows of six hours from span_start to span_end, of one bucket and day. `sorting`: more samples than a hash table should hold, so
-- they are sorted, on disk if need be.
-- The planner knows nothing of what arrays hold, so what it should not try is switched off.
create function compact_span(day date, tenant int, bucket smallint, span_start timestamptz, span_end timestamptz, sorting boolean)
returns table (samples bigint, newest timestamptz)
language plpgsql volatile security definer set search_path = sensus, pg_temp set work_mem = '64MB' set jit = off set enable_sort = off
  set enable_hashjoin = off set enable_mergejoin = off set enable_memoize = off set enable_hashagg = on
as $$
begin
  perform set_config('enable_hashagg', case when sorting then 'off' else 'on' end, true);
  return query execute format($q$
    with gathered as materialized (
      -- A series' samples with the rank of their batch row: of equal times the later written wins.
      select x.s, x.us / 21600000000 as w, array_agg(x.us %% 21600000000) as us, array_agg(x.v) as vs, array_agg(x.r) as ranks
      from (select y.s, y.v, y.r, (date_part('epoch', y.t - $3) * 1e6)::bigint as us
            from (select b.r, unnest(b.series_id) as s, unnest(b.ts) as t, unnest(b.value) as v
                  from (select row_number() over (order by c.written_at, c.t_min) as r, c.series_id, c.ts, c.value
                        from sensus.%1$I c where c.tenant_id = $1 and c.bucket = $2 and c.t_min < $4 and c.t_max >= $3) b
                  offset 0) y
            where y.t >= $3 and y.t < $4 %5$s) x
      group by 1, 2
    ), merged as materialized (
      -- Late samples: with those of the chunk that is there, which they win over.
      select g.s, $3 + g.w * interval '6 hours' as w, o.vs is not null as late, g.us || o.us as us, g.vs || o.vs as vs,
             g.ranks || array_fill(0::bigint, array[coalesce(cardinality(o.vs), 0)]) as ranks
      from gathered g
      left join lateral (
        select c.value as vs,
               array(select (date_part('epoch', c.t_min - $3) * 1e6)::bigint %% 21600000000 + (d.n - 1) * c.step_us + d.us
                     from unnest(c.drift_us) with ordinality d(us, n) order by d.n) as us
        from sensus.%2$I c where c.tenant_id = $1 and c.series_id = g.s
          and c.t_min >= $3 + g.w * interval '6 hours' and c.t_min < $3 + (g.w + 1) * interval '6 hours' offset 0
      ) o on true
    ), replaced as (
      delete from sensus.%2$I c where c.tenant_id = $1 and c.t_min >= $3 and c.t_min < $4
        and c.series_id = any(array(select m.s from merged m where m.late))
        and (c.series_id, date_bin(interval '6 hours', c.t_min, $3)) in (select m.s, m.w from merged m where m.late)
      returning 1
    ), packed as materialized (
      select m.s, m.w, p.us, p.vs
      from (select n.*, coalesce((select min(d.us) > 0 from (select unnest(n.us[2:]) - unnest(n.us[:cardinality(n.us) - 1]) as us) d),
                                 true) as ascending
            from merged n offset 0) m
      cross join lateral (
        select m.us, m.vs where m.ascending
        union all
        select o.ordered_us, o.ordered_vs from sensus.order_samples(m.us, m.vs, m.ranks) o where not m.ascending
      ) p
    ), made as materialized (
      select p.s, p.w, p.us, p.vs, g.step_us, r.*
      from packed p
      cross join lateral (select sensus.usual_step(p.us) as step_us offset 0) g
      cross join lateral sensus.roll_up_5m(p.us, p.vs) r
    ), rolled_5m as (
      insert into sensus.%3$I as r (tenant_id, series_id, t_min, slot, lowest, highest, total, samples, newest)
      select $1, m.s, m.w, m.slot, m.lowest, m.highest, m.total, m.samples, m.newest from made m where m.slot is not null
      on conflict (tenant_id, series_id, t_min) do update set slot = excluded.slot, lowest = excluded.lowest,
        highest = excluded.highest, total = excluded.total, samples = excluded.samples, newest = excluded.newest
    ), rolled_1h as (
      insert into sensus.%4$I as r (tenant_id, series_id, t_min, slot, lowest, highest, total, samples, newest)
      select $1, m.s, m.w, h.*
      from made m cross join lateral sensus.roll_up_1h(m.slot, m.lowest, m.highest, m.total, m.samples, m.newest) h
      where m.slot is not null
      on conflict (tenant_id, series_id, t_min) do update set slot = excluded.slot, lowest = excluded.lowest,
        highest = excluded.highest, total = excluded.total, samples = excluded.samples, newest = excluded.newest
    ), written as (
      insert into sensus.%2$I (tenant_id, series_id, t_min, t_max, step_us, drift_us, value)
      select $1, m.s, m.w + m.us[1] * interval '1 microsecond', m.w + m.us[cardinality(m.us)] * interval '1 microsecond', m.step_us,
             array(select x.us - x.n * m.step_us - m.us[1]
                   from (select unnest(m.us) as us, generate_series(0, cardinality(m.us)::bigint - 1) as n) x), m.vs
      from made m where (select count(*) from replaced) >= 0  -- After the chunks that they replace are gone.
      returning t_max, cardinality(value) as n
    )
    select coalesce(sum(w.n), 0)::bigint, max(w.t_max) from written w
  $q$, 'sample_batches_' || to_char(day, 'YYYYMMDD'), 'sample_chunks_' || to_char(day, 'YYYYMMDD'),
       'rollups_5m_' || to_char(day, 'YYYYMM'), 'rollups_1h_' || to_char(day, 'YYYYMM'),
       case when sorting then 'order by y.s, y.t' else '' end)
    using tenant, bucket, span_start, span_end;
end
$$;

-- As before, with the partitions that it needs, a few samples at once and many window by window. Its commit need not wait for the disk: the batch rows stay until
-- finish_compaction, whose truncation does wait, and with it for everything that was committed before.
create or replace function compact_samples(day date, tenant int, bucket smallint)
returns bigint
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  hashed_max constant bigint := 2000000;  -- Samples at once, about 100 MB; a window has a quarter of a day, now and then more.
  batch_part text := 'sample_batches_' || to_char(day, 'YYYYMMDD');
  chunk_part text := 'sample_chunks_' || to_char(day, 'YYYYMMDD');
  day_start constant timestamptz := sample_day_start(day);
  span constant interval := interval '6 hours';
  whole_day boolean;
  batch_count bigint;
  waiting bigint;
  done record;
  samples bigint := 0;
  latest timestamptz;
begin
  if not pg_try_advisory_xact_lock(6072340122) then
    return null;
  end if;
  if to_regclass('sensus.' || batch_part) is null then
    return 0;
  end if;
  perform set_config('synchronous_commit', 'off', true);
  if to_regclass('sensus.' || chunk_part) is null then
    execute format('create table %I (like sample_chunks including defaults including compression)', chunk_part);
    execute format('alter table sample_chunks attach partition %I for values from (%L) to (%L)', chunk_part, day_start,
                   sample_day_start(day + 1));
    execute format('revoke insert, update, delete on %I from sensus_app', chunk_part);
  end if;
  perform make_rollup_partitions(day);
  -- Counted first: rows that come from here on make the count differ, and the bucket is done again.
  execute format('select count(*) from %I where tenant_id = $1 and bucket = $2', batch_part) into batch_count using tenant, bucket;
  execute format('select coalesce(sum(cardinality(series_id)), 0) from %I where tenant_id = $1 and bucket = $2', batch_part)
    into waiting using tenant, bucket;
  whole_day := waiting <= hashed_max / 4;
  for k in 0..case when whole_day then 0 else 3 end loop
    select w.samples, w.newest into done
    from compact_span(day, tenant, bucket, day_start + k * span, day_start + case when whole_day then 4 else k + 1 end * span,
                      waiting > hashed_max * 2) w;
    samples := samples + done.samples;
    latest := greatest(latest, done.newest);
  end loop;
  insert into sample_compactions (tenant_id, day, bucket, batches) values (tenant, compact_samples.day, compact_samples.bucket, batch_count)
    on conflict on constraint sample_compactions_pkey
    do update set batches = excluded.batches, done_by = excluded.done_by, done_at = excluded.done_at;
  if samples > 0 then
    insert into sample_days (tenant_id, day, t_max, rolled_up) values (tenant, compact_samples.day, latest, true)
      on conflict on constraint sample_days_pkey
      do update set t_max = greatest(sample_days.t_max, excluded.t_max), compacted_at = excluded.compacted_at;
  end if;
  return samples;
end
$$;
