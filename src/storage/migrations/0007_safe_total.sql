-- Totals that end no statement. sum() and avg() of float8 raise "value out of range: overflow" where the exact total is beyond the
-- type, and a product raises "underflow" where it is too small for it. One such sample must not keep a whole query or compaction from
-- its answer, so values are added up in two parts, near and far, and put together here:
--   safe_total(sum(v) filter (where abs(v) < 1e290), sum(v * 2::float8 ^ -64) filter (where abs(v) >= 1e290))
-- A total beyond the type is Infinity with its sign. NaN is no value in Sensus (a stale marker is one): leave it out before, by
-- v <> 'NaN'; where it gets in, the total is NaN. NULL when there was nothing to add.
create function safe_total(near float8, far float8) returns float8
  language sql immutable parallel safe
  return case
    when far is null then near
    when far = 0 then coalesce(near, 0)
    else (
      select case when abs(x.scaled) < 2::float8 ^ 960 then x.scaled * 2::float8 ^ 64 else sign(x.scaled) * 'Infinity'::float8 end
      from (select far + case when abs(near) >= 1e200 then near * 2::float8 ^ -64 else 0 end) x(scaled)
    )
  end;
grant execute on function safe_total(float8, float8) to sensus_app;
