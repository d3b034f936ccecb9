-- Arrays of batch rows stay in their row as long as it fits a page, compressed as before: a read of one series touches a page a row
-- instead of five (docs/adr/0022-rows-in-one-piece.md). Rows that exist stay as they are, and every read takes both.
alter table sample_batches
  alter column series_id set storage main,
  alter column ts set storage main,
  alter column value set storage main;

-- As before, but for "including storage": a table made like another does not take its storage by itself.
create or replace function make_partitions(from_day date, to_day date)
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
      execute format('create table %I (like sample_batches including defaults including compression including storage)', part);
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
