-- samples() by places: of a batch row only the slices of the series that are asked for are taken out (docs/adr/0019-reading-samples.md).
create or replace function samples(name text, matchers jsonb, "from" timestamptz, "to" timestamptz, tenant int default 1)
returns table (metric_name text, labels jsonb, "timestamp" timestamptz, metric_value double precision, series_id int)
language plpgsql stable security definer set search_path = sensus, pg_temp set jit = off set plan_cache_mode = force_custom_plan
as $$
declare
  ids int[];
  buckets smallint[];
  -- Known to the planner, so that it reads the partitions of these days only.
  first_day constant timestamptz := date_trunc('day', "from", 'UTC');
begin
  select array_agg(s.id), array_agg(distinct sample_bucket(s.id)) into ids, buckets
  from series s where s.tenant_id = tenant and s.metric_name = name and s.labels @> coalesce(matchers, '{}');
  if ids is null then
    return;
  end if;
  return query
  select s.metric_name, s.labels, x.ts, x.value, s.id
  from (
    select distinct on (y.s, y.t) y.s as id, y.t as ts, y.v as value
    from (
      select w.id as s, u.t, u.v, w.written_at, u.n
      from (
        -- "offset 0": the places are found once, not for each use.
        select i.id, b.ts, b.value, b.written_at, p.places
        from sample_batches b
        join unnest(ids) i(id) on sample_bucket(i.id) = b.bucket
        cross join lateral (select array_positions(b.series_id, i.id) as places offset 0) p
        where b.tenant_id = tenant and b.bucket = any(buckets)
          and b.t_min >= first_day and b.t_min < "to" and b.t_max >= "from" and p.places <> '{}'
        offset 0
      ) w
      cross join lateral unnest(w.ts[w.places[1]:w.places[cardinality(w.places)]], w.value[w.places[1]:w.places[cardinality(w.places)]])
        with ordinality u(t, v, n)
      where u.t >= "from" and u.t < "to"
      union all
      select c.series_id, d.t, u.v, '-infinity', u.n
      from sample_chunks c
      cross join lateral unnest(c.drift_us, c.value) with ordinality u(d, v, n)
      cross join lateral (select chunk_time(c.t_min, c.step_us, u.d, u.n) as t) d
      where c.tenant_id = tenant and c.series_id = any(ids)
        and c.t_min >= first_day and c.t_min < "to" and c.t_max >= "from"
        and d.t >= "from" and d.t < "to"
    ) y
    order by y.s, y.t, y.written_at desc, y.n desc
  ) x
  join series s on s.tenant_id = tenant and s.id = x.id;
end
$$;
