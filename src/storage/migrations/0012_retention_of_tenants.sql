-- Retention of tenants that differ: their rows go one by one while others keep theirs; a partition goes when the longest is over.

alter table sample_days add column raw_gone boolean not null default false;
comment on column sample_days.raw_gone is 'Chunks of the day were deleted because of their age: late samples must not make its rollups anew.';

-- Deletes up to `rows_max` rows of one tenant from the oldest partition that ended before the time of that tenant and resolution, and
-- says which; no row when there is none. Element 1 of each array is for all tenants that are not in `tenants`. Batch rows first.
create function delete_expired_rows(tenants int[], raw_before timestamptz[], rollup_5m_before timestamptz[], rollup_1h_before timestamptz[],
                                    rows_max int)
returns table (part text, tenant int, deleted bigint)
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
declare
  candidate record;
  at int;
begin
  if not pg_try_advisory_xact_lock(6072340122) then
    return;
  end if;
  for candidate in
    select c.relname::text as name, k.rank, k.befores, d.day, sample_day_start((d.day + k.span)::date) as ended
    from (values (1, 'sample_batches', interval '1 day', raw_before), (2, 'sample_chunks', interval '1 day', raw_before),
                 (3, 'rollups_5m', interval '1 month', rollup_5m_before), (4, 'rollups_1h', interval '1 month', rollup_1h_before))
         k(rank, parent, span, befores)
    join pg_inherits i on i.inhparent = ('sensus.' || k.parent)::regclass
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (select to_date(substring(c.relname from '_(\d{6,8})$') || case k.rank when 1 then '' when 2 then '' else '01' end,
                                       'YYYYMMDD') as day) d
    where c.relname ~ (k.parent || case when k.rank <= 2 then '_\d{8}$' else '_\d{6}$' end)
      and sample_day_start((d.day + k.span)::date) <= (select max(b) from unnest(k.befores) b)
    order by k.rank, d.day
  loop
    tenant := null;
    loop
      -- The next tenant that the partition holds: one look into its index.
      execute format('select min(tenant_id) from %I where tenant_id > $1', candidate.name) into tenant using coalesce(tenant, -1);
      exit when tenant is null;
      at := coalesce(array_position(tenants, tenant), 1);
      continue when candidate.ended > candidate.befores[at];
      if candidate.rank = 1 then
        delete from sample_compactions c where c.tenant_id = tenant and c.day = candidate.day;
      elsif candidate.rank = 2 then
        update sample_days d set raw_gone = true where d.tenant_id = tenant and d.day = candidate.day and not d.raw_gone;
      end if;
      execute format('delete from %1$I where ctid = any(array(select x.ctid from %1$I x where x.tenant_id = $1 limit $2))', candidate.name)
        using tenant, rows_max;
      get diagnostics deleted = row_count;
      part := candidate.name;
      return next;
      return;
    end loop;
  end loop;
end
$$;
grant execute on function delete_expired_rows(int[], timestamptz[], timestamptz[], timestamptz[], int) to sensus_app;

-- What the daemon calls a step: compact_samples, but samples that come for a day whose chunks went because of their age go too; their
-- rollups stay what they were.
create function compact_bucket(day date, tenant int, bucket smallint)
returns bigint
language plpgsql volatile security definer set search_path = sensus, pg_temp
as $$
begin
  if not exists (select from sample_days d where d.tenant_id = tenant and d.day = compact_bucket.day and d.raw_gone) then
    return compact_samples(day, tenant, bucket);
  end if;
  if not pg_try_advisory_xact_lock(6072340122) then
    return null;
  end if;
  execute format('delete from %I b where b.tenant_id = $1 and b.bucket = $2', 'sample_batches_' || to_char(day, 'YYYYMMDD'))
    using tenant, bucket;
  return 0;
end
$$;
grant execute on function compact_bucket(date, int, smallint) to sensus_app;
revoke execute on function compact_samples(date, int, smallint) from sensus_app;
