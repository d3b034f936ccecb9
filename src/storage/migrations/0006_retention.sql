-- Retention: whole partitions go, one a call, so that each lock is short.

-- Drops the oldest partition that ended before its resolution's time and returns its name, null when there is none. Batch rows go
-- before chunks: of a day without chunks late samples alone would make its rollups.
create function drop_expired_samples(raw_before timestamptz, rollup_5m_before timestamptz, rollup_1h_before timestamptz)
returns text
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  part record;
begin
  if raw_before is null or rollup_5m_before is null or rollup_1h_before is null or greatest(raw_before, rollup_5m_before,
     rollup_1h_before) > now() then
    raise exception 'drop_expired_samples: times in the past are needed' using errcode = '22023';
  end if;
  if not pg_try_advisory_xact_lock(6072340122) then
    return null;
  end if;
  select p.name, p.day, p.rank into part
  from (
    select c.relname::text as name, k.rank, k.before,
           case when k.monthly then to_date(right(c.relname, 6), 'YYYYMM') else to_date(right(c.relname, 8), 'YYYYMMDD') end as day,
           case when k.monthly then interval '1 month' else interval '1 day' end as span
    from (values (1, 'sample_batches', false, raw_before), (2, 'sample_chunks', false, raw_before),
                 (3, 'rollups_5m', true, rollup_5m_before), (4, 'rollups_1h', true, rollup_1h_before)) k(rank, parent, monthly, before)
    join pg_inherits i on i.inhparent = ('sensus.' || k.parent)::regclass
    join pg_class c on c.oid = i.inhrelid
    where c.relname ~ (k.parent || case when k.monthly then '_\d{6}$' else '_\d{8}$' end)
  ) p
  where sample_day_start((p.day + p.span)::date) <= p.before
  order by p.rank, p.day
  limit 1;
  delete from sample_days d where sample_day_start(d.day + 1) <= least(raw_before, rollup_5m_before, rollup_1h_before);
  if part.name is null then
    return null;
  end if;
  set local lock_timeout = '1s';
  execute format('drop table %I', part.name);
  if part.rank = 1 then
    delete from sample_compactions c where c.day = part.day;
  end if;
  return part.name;
end
$$;

-- Deletes rows of the default partition that are all older than `before`, and makes partitions for the days of the others (the
-- oldest ten of them a call), which moves them there. Returns the rows that it deleted.
create function drain_default_partition(before timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  deleted bigint;
  stray date;
begin
  if before is null or before > now() then
    raise exception 'drain_default_partition: a time in the past is needed' using errcode = '22023';
  end if;
  delete from sample_batches_default where t_max < before;
  get diagnostics deleted = row_count;
  set local lock_timeout = '1s';
  for stray in
    select distinct (t_min at time zone 'UTC')::date as day from sample_batches_default order by 1 limit 10
  loop
    perform make_partitions(stray, stray);
  end loop;
  return deleted;
end
$$;

grant execute on function drop_expired_samples(timestamptz, timestamptz, timestamptz), drain_default_partition(timestamptz)
  to sensus_app;
