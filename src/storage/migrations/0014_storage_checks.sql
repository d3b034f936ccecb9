-- What `sensusctl storage stats` and `verify` ask. They run as the daemon's role, which reads all tables; stable functions see one
-- snapshot, so a compaction that runs meanwhile shows in no check.

create function storage_tables()
returns table (name text, partitions bigint, bytes bigint, rows_estimated bigint)
language sql stable set search_path = sensus, pg_temp
as $$
  with relations as (
    select c.oid, coalesce(i.inhparent, c.oid) as root, i.inhparent is not null as is_partition, greatest(c.reltuples, 0) as rows
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.relnamespace = 'sensus'::regnamespace and c.relkind in ('r', 'p')
  )
  select c.relname::text, count(*) filter (where r.is_partition), sum(pg_total_relation_size(r.oid))::bigint, sum(r.rows)::bigint
  from relations r join pg_class c on c.oid = r.root
  group by 1 order by 3 desc
$$;

-- Samples of one partition of sample_batches or sample_chunks, from the average of rows of a few of its pages.
create function storage_samples(part regclass, tenth_percent int)
returns table (samples bigint, bytes bigint)
language plpgsql stable set search_path = sensus, pg_temp
as $$
declare
  chunked constant boolean := exists (select from pg_inherits i where i.inhrelid = part and i.inhparent = 'sensus.sample_chunks'::regclass);
begin
  bytes := pg_total_relation_size(part);
  execute format('select coalesce(sum(cardinality(%I)), 0) from %s tablesample system (%s)', case when chunked then 'value' else 'series_id' end,
                 part, tenth_percent / 10.0) into samples;
  samples := samples * 1000 / tenth_percent;
  return next;
end
$$;

-- Null where all is well, else what is wrong.
create function check_arrays(sizes int[], has_null boolean) returns text
language sql immutable
as $$
  select case when has_null then 'an array is or holds NULL'
              when (select count(distinct s) from unnest(sizes) s) > 1 then 'arrays differ in length: ' || array_to_string(sizes, ', ')
              when sizes[1] = 0 then 'arrays are empty' end
$$;

create function check_batch(b sample_batches) returns text
language plpgsql stable set search_path = sensus, pg_temp
as $$
declare
  problem text;
begin
  problem := check_arrays(array[cardinality(b.series_id), cardinality(b.ts), cardinality(b.value)],
                          coalesce(array_position(b.series_id, null), array_position(b.ts, null), array_position(b.value, null)) is not null);
  if problem is not null then
    return problem;
  end if;
  if (select min(t) <> b.t_min or max(t) <> b.t_max from unnest(b.ts) t) then
    return 't_min and t_max are not those of its samples';
  elsif date_trunc('day', b.t_min, 'UTC') <> date_trunc('day', b.t_max, 'UTC') then
    return 'samples of more than a day';
  elsif exists (select from unnest(b.series_id) s where sample_bucket(s) <> b.bucket) then
    return 'series of another bucket';
  elsif exists (select from (select distinct s from unnest(b.series_id) s) x
                where not exists (select from series k where k.tenant_id = b.tenant_id and k.id = x.s)) then
    return 'series that do not exist';
  end if;
  return null;
exception when others then
  return 'cannot be read: ' || sqlerrm;
end
$$;

-- Totals may differ by the order of adding.
create function same_totals(a float8[], b float8[]) returns boolean
language sql immutable
as $$
  select cardinality(a) = cardinality(b) and not exists (
    select from unnest(a, b) x(a, b)
    where x.a is distinct from x.b
      and not (abs(x.a) < 'Infinity' and abs(x.b) < 'Infinity' and abs(x.a * 0.5 - x.b * 0.5) <= 1e-9 * greatest(abs(x.a), abs(x.b))))
$$;

create function fits_rollup(kind text, tenant int, series int, at timestamptz, slots smallint[], lows float8[], highs float8[],
                            totals float8[], counts int[], news float8[]) returns boolean
language plpgsql stable set search_path = sensus, pg_temp
as $$
declare
  month_start constant timestamptz := date_trunc('month', at, 'UTC');
  month_end constant timestamptz := sample_day_start(((month_start at time zone 'UTC') + interval '1 month')::date);
  found rollups_5m;
begin
  if kind = 'rollups_5m' then
    select * into found from rollups_5m r where r.tenant_id = tenant and r.series_id = series and r.t_min = at;
  else
    select * into found from rollups_1h r where r.tenant_id = tenant and r.series_id = series and r.t_min = at;
  end if;
  if found.slot is null then
    return slots is null or not case kind
      when 'rollups_5m' then exists (select from rollups_5m r where r.tenant_id = tenant and r.t_min >= month_start and r.t_min < month_end)
      else exists (select from rollups_1h r where r.tenant_id = tenant and r.t_min >= month_start and r.t_min < month_end) end;
  end if;
  return (found.slot, found.lowest, found.highest, found.samples, found.newest) is not distinct from (slots, lows, highs, counts, news)
         and same_totals(found.total, totals);
end
$$;

create function check_chunk(c sample_chunks) returns text
language plpgsql stable set search_path = sensus, pg_temp
as $$
declare
  window_start constant timestamptz := date_bin(interval '6 hours', c.t_min, '2000-01-01 00:00:00+00');
  problem text;
  us bigint[];
  wanted record;
  wanted_1h record;
begin
  problem := check_arrays(array[cardinality(c.drift_us), cardinality(c.value)],
                          coalesce(array_position(c.drift_us, null), array_position(c.value, null)) is not null);
  if problem is not null then
    return problem;
  end if;
  us := array(select (date_part('epoch', c.t_min - window_start) * 1e6)::bigint + (d.n - 1) * c.step_us + d.us
              from unnest(c.drift_us) with ordinality d(us, n) order by d.n);
  if exists (select from (select unnest(us[2:]) - unnest(us[:cardinality(us) - 1]) as us) d where d.us <= 0) then
    return 'times do not ascend';
  elsif c.drift_us[1] <> 0 or chunk_time(c.t_min, c.step_us, c.drift_us[cardinality(us)], cardinality(us)) <> c.t_max then
    return 't_min and t_max are not those of its samples';
  elsif us[cardinality(us)] >= 21600000000 then
    return 'samples of more than its window';
  elsif not exists (select from series k where k.tenant_id = c.tenant_id and k.id = c.series_id) then
    return 'its series does not exist';
  elsif not exists (select from sample_days d where d.tenant_id = c.tenant_id and d.rolled_up
                                                    and d.day = (c.t_min at time zone 'UTC')::date) then
    return null;
  end if;
  -- Rollups go by whole months because of their age: where the tenant has any of the month, all have to be there and fit.
  select * into wanted from roll_up_5m(us, c.value);
  select * into wanted_1h from roll_up_1h(wanted.slot, wanted.lowest, wanted.highest, wanted.total, wanted.samples, wanted.newest);
  if not fits_rollup('rollups_5m', c.tenant_id, c.series_id, window_start, wanted.slot, wanted.lowest, wanted.highest, wanted.total,
                     wanted.samples, wanted.newest) then
    return 'its rollups of 5 minutes are not those of its samples';
  elsif not fits_rollup('rollups_1h', c.tenant_id, c.series_id, window_start, wanted_1h.slot_1h, wanted_1h.lowest_1h, wanted_1h.highest_1h,
                        wanted_1h.total_1h, wanted_1h.samples_1h, wanted_1h.newest_1h) then
    return 'its rollups of an hour are not those of its samples';
  end if;
  return null;
exception when others then
  return 'cannot be read: ' || sqlerrm;
end
$$;

create function check_rollup(tenant int, series int, sizes int[], slots smallint[], lowest float8[], highest float8[], samples int[],
                             slots_max int) returns text
language plpgsql stable set search_path = sensus, pg_temp
as $$
declare
  problem text;
begin
  problem := check_arrays(sizes, array_position(sizes, null) is not null or coalesce(
    array_position(slots, null), array_position(lowest, null), array_position(highest, null), array_position(samples, null)) is not null);
  if problem is not null then
    return problem;
  end if;
  if exists (select from unnest(slots) with ordinality s(slot, n) where s.slot < 0 or s.slot >= slots_max or s.slot <= slots[s.n - 1]) then
    return 'slots do not ascend or leave their window';
  elsif exists (select from unnest(lowest, highest, samples) x(l, h, n) where x.l > x.h or x.n <= 0) then
    return 'a slot with a lowest above its highest, or without samples';
  elsif not exists (select from series k where k.tenant_id = check_rollup.tenant and k.id = check_rollup.series) then
    return 'its series does not exist';
  end if;
  return null;
end
$$;

-- Checks the rows of one partition that begin in its pages [from_page, to_page). `problems`: the first hundred.
create function verify_pages(part regclass, from_page bigint, to_page bigint)
returns table (looked bigint, samples bigint, bad bigint, problems text[])
language plpgsql stable set search_path = sensus, pg_temp
as $$
declare
  parent text;
  checked text;
  counted text;
  named text;
begin
  select i.inhparent::regclass::text into parent from pg_inherits i where i.inhrelid = part;
  parent := replace(parent, 'sensus.', '');
  if parent = 'sample_batches' then
    checked := 'check_batch(row(x.*)::sample_batches)';
    counted := 'cardinality(x.series_id)';
    named := $q$format('bucket %s, %s to %s', x.bucket, x.t_min, x.t_max)$q$;
  elsif parent = 'sample_chunks' then
    checked := 'check_chunk(row(x.*)::sample_chunks)';
    counted := 'cardinality(x.value)';
    named := $q$format('series %s, from %s', x.series_id, x.t_min)$q$;
  elsif parent in ('rollups_5m', 'rollups_1h') then
    checked := format('check_rollup(x.tenant_id, x.series_id, array[cardinality(x.slot), cardinality(x.lowest), cardinality(x.highest), '
                      'cardinality(x.total), cardinality(x.samples), cardinality(x.newest)], x.slot, x.lowest, x.highest, x.samples, %s)',
                      case parent when 'rollups_5m' then 72 else 6 end);
    counted := '0';
    named := $q$format('series %s, from %s', x.series_id, x.t_min)$q$;
  else
    raise exception 'verify_pages: % is no partition of samples', part using errcode = '22023';
  end if;
  return query execute format(
    'select count(*), coalesce(sum(%2$s) filter (where x.problem is null), 0)::bigint, count(x.problem), '
    '(array_agg(%3$L || '', tenant '' || x.tenant_id || '', '' || %1$s || '': '' || x.problem) filter (where x.problem is not null))[:100] '
    'from (select x.*, %4$s as problem from %5$s x where x.ctid >= %6$L and x.ctid < %7$L offset 0) x',
    named, counted, replace(part::text, 'sensus.', ''), checked, part, format('(%s,0)', from_page), format('(%s,0)', to_page));
end
$$;
grant execute on function storage_tables(), storage_samples(regclass, int), check_arrays(int[], boolean), check_batch(sample_batches),
  same_totals(float8[], float8[]),
  fits_rollup(text, int, int, timestamptz, smallint[], float8[], float8[], float8[], int[], float8[]), check_chunk(sample_chunks), check_rollup(int, int, int[], smallint[], float8[], float8[], int[], int),
  verify_pages(regclass, bigint, bigint), roll_up_5m(bigint[], float8[]),
  roll_up_1h(smallint[], float8[], float8[], float8[], int[], float8[]) to sensus_app;
