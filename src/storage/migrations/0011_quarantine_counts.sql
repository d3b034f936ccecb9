-- A sender that repeats a bad alert gets one row with a count, not a row every minute.

-- What tells bad alerts apart: their bytes, but for times, which change with every repetition.
create function quarantine_digest(original bytea) returns text
  language sql immutable strict parallel safe
  return md5(regexp_replace(encode(original, 'escape'), '\d{4}-\d\d-\d\d[Tt ][0-9:.]+([Zz]|[+-]\d\d:?\d\d)?', '', 'g'));
grant execute on function quarantine_digest(bytea) to sensus_app;

alter table quarantine
  add column occurrences bigint not null default 1,
  add column last_received_at timestamptz not null default now(),
  add column digest text generated always as (quarantine_digest(original)) stored;
comment on column quarantine.received_at is 'The first time; original and reason are of the last.';

with same as (
  select q.tenant_id, q.source, q.code, q.digest, min(q.id) as id, count(*) as n, max(q.received_at) as latest
  from quarantine q group by 1, 2, 3, 4
)
update quarantine q set occurrences = s.n, last_received_at = s.latest
from same s where q.tenant_id = s.tenant_id and q.id = s.id;
delete from quarantine q
using quarantine o
where o.tenant_id = q.tenant_id and o.source = q.source and o.code = q.code and o.digest = q.digest and o.id < q.id;
create unique index quarantine_same on quarantine (tenant_id, source, code, digest);
