-- Work that one replica does at a time, for as long as it renews its lease.

create table leases (
  name text primary key,
  holder text not null,
  term bigint not null default 1,
  length interval not null,
  lease_until timestamptz not null,
  taken_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table leases is 'One row a kind of work. Safe to delete: whoever looks next takes it.';
comment on column leases.holder is 'The process that does the work; differs from the process before on the same host.';
comment on column leases.term is 'Grows with each change of the holder: what a holder of an earlier term has in memory is out of date.';
comment on column leases.length is 'A lease that ends later than this from now was taken before the clock was set back, and counts as ended.';
