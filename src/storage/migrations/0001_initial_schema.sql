-- Runs as sensus_owner with search_path sensus. Privileges of sensus_app come from default privileges of the schema.
-- Every table of a tenant is keyed by tenant_id first, and every unique index holds it: rows of a tenant can be
-- distributed by it, and row-level security can bind sensus_app, which owns nothing.

create table series (
  tenant_id int not null,
  id int generated always as identity,
  fingerprint bytea not null check (octet_length(fingerprint) = 16),
  metric_name text not null,
  labels jsonb not null,
  first_seen timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, fingerprint)
) with (fillfactor = 90);
comment on column series.fingerprint is 'BLAKE2b-128 of metric name and sorted labels.';
comment on column series.last_seen is 'Kept up about every ten minutes while samples come.';
create index series_metric_name on series (tenant_id, metric_name);
create index series_labels on series using gin (labels jsonb_path_ops);

-- Arrays of samples as one flush wrote them: append only. A row holds one bucket of series and never spans a UTC day.
create table sample_batches (
  tenant_id int not null,
  bucket smallint not null,
  t_min timestamptz not null,
  t_max timestamptz not null,
  written_at timestamptz not null default now(),
  series_id int[] not null,
  ts timestamptz[] not null,
  value float8[] not null
) partition by range (t_min);
comment on table sample_batches is 'bucket = sample_bucket(series_id). Of two samples of a series and time the later written_at wins.';
-- Windows that people and detectors read end near now: t_max leads there with the shortest scan.
create index sample_batches_bucket on sample_batches (tenant_id, bucket, t_max, t_min);
do $$
begin
  alter table sample_batches alter column series_id set compression lz4;
  alter table sample_batches alter column ts set compression lz4;
  alter table sample_batches alter column value set compression lz4;
exception when feature_not_supported then null;  -- A server built without lz4 compresses with pglz.
end
$$;
create table sample_batches_default partition of sample_batches default;
comment on table sample_batches_default is 'Catches rows of days without a partition; rows in it are an alarm.';

create function sample_bucket(series_id int) returns smallint
  language sql immutable strict parallel safe
  return (series_id % 64)::smallint;

create table alerts (
  tenant_id int not null,
  id bigint generated always as identity,
  labels_hash bytea not null check (octet_length(labels_hash) = 16),
  fingerprint text not null,
  alert_name text not null,
  severity text not null default '',
  description text not null default '',
  labels jsonb not null,
  annotations jsonb not null,
  starts_at timestamptz not null,
  ends_at timestamptz,
  generator_url text not null default '',
  status text not null default 'firing' check (status in ('firing', 'resolved')),
  receiver text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_received_at timestamptz not null default now(),
  resolved_received_at timestamptz,
  receive_count bigint not null default 1,
  primary key (tenant_id, id),
  unique (tenant_id, labels_hash, starts_at),
  check ((status = 'resolved') = (ends_at is not null))
) with (fillfactor = 80);
comment on table alerts is 'One row per episode: one firing-to-resolved stretch of one label set.';
create index alerts_starts_at on alerts (tenant_id, starts_at desc, id desc);
create index alerts_status on alerts (tenant_id, status, starts_at desc);
create index alerts_created_at on alerts (tenant_id, created_at);
create index alerts_labels on alerts using gin (labels jsonb_path_ops);

create table ai_analysis_results (
  tenant_id int not null,
  id bigint generated always as identity,
  alert_id bigint,
  series_id int,
  event_id bigint,
  analysis_type text not null check (analysis_type in ('anomaly_detection', 'evidence_report', 'llm_analysis')),
  model_name text not null default '',
  model_version text not null default '',
  observed_at timestamptz,
  analysis_data jsonb not null,
  confidence_score double precision,
  score double precision,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
comment on table ai_analysis_results is 'What analyzers said: of series (anomaly_detection) and of alerts (the others).';
-- A redelivered event has no second effect.
create unique index ai_analysis_results_event on ai_analysis_results (tenant_id, event_id, analysis_type)
  where event_id is not null;
create unique index ai_analysis_results_anomaly on ai_analysis_results (tenant_id, series_id, observed_at)
  where analysis_type = 'anomaly_detection';
create index ai_analysis_results_alert on ai_analysis_results (tenant_id, alert_id, created_at desc) where alert_id is not null;
create index ai_analysis_results_created on ai_analysis_results (tenant_id, created_at desc, id desc);
create index ai_analysis_results_observed on ai_analysis_results (tenant_id, observed_at desc, id desc)
  where analysis_type = 'anomaly_detection';

create table model_versions (
  tenant_id int not null,
  id bigint generated always as identity,
  version text not null,
  algorithm text not null,
  parameters jsonb not null,
  training_date timestamptz not null,
  is_active boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, algorithm, version)
);
create unique index model_versions_active on model_versions (tenant_id, algorithm) where is_active;

-- A queue: every row is inserted, updated twice and deleted, so vacuum must come often.
create table outbox (
  tenant_id int not null,
  id bigint generated always as identity,
  topic text not null,
  type text not null,
  payload text not null,
  created_at timestamptz not null default now(),
  next_at timestamptz not null default now(),
  attempts int not null default 0,
  published_at timestamptz,
  stream_id text,
  primary key (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index outbox_id on outbox (id);
create index outbox_pending on outbox (id) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;

create table dead_letters (
  tenant_id int not null,
  event_id bigint not null,
  consumer_group text not null,
  topic text not null,
  type text not null,
  payload text not null,
  deliveries bigint not null,
  reason text not null,
  event_created_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, event_id, consumer_group)
);
create index dead_letters_created on dead_letters (tenant_id, created_at desc);

create table quarantine (
  tenant_id int not null,
  id bigint generated always as identity,
  source text not null,
  original bytea not null,
  reason text not null,
  code text not null,
  received_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index quarantine_created on quarantine (tenant_id, created_at desc);
