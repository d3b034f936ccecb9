-- What people said of anomalies: it moves the thresholds of the series.

create table anomaly_feedback (
  tenant_id int not null,
  id bigint generated always as identity,
  anomaly_id bigint not null,
  series_id int not null,
  verdict text not null check (verdict in ('useful', 'noise', 'expected')),
  evidence double precision not null,
  comment text not null default '',
  created_at timestamptz not null default now(),
  applied_at timestamptz,
  primary key (tenant_id, id)
);
comment on column anomaly_feedback.evidence is 'Of the anomaly: an expected one raises the threshold above it.';
comment on column anomaly_feedback.applied_at is
  'When the detector of the series had learned it. Taken back when that detector is learned anew, which begins without it.';
create index anomaly_feedback_pending on anomaly_feedback (tenant_id, id) where applied_at is null;
create index anomaly_feedback_series on anomaly_feedback (tenant_id, series_id);
