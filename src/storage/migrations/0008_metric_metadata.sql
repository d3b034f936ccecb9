-- What senders say about metric families: type, unit, help. A few thousand small rows, rewritten rarely.
create table metric_metadata (
  tenant_id int not null,
  family text not null,
  type text not null default 'unknown'
    check (type in ('unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset')),
  unit text not null default '',
  help text not null default '',
  updated_at timestamptz not null default now(),
  primary key (tenant_id, family)
);
comment on table metric_metadata is 'Of the series of a family: those of a histogram x are x_bucket, x_sum and x_count.';
comment on column metric_metadata.updated_at is 'When a sender last said something else than before.';
