-- Versions of models with what tells them apart and how good they are, and jobs: work on models that outlasts a request.

alter table model_versions
  add column profile text not null default '',
  add column training_from timestamptz,
  add column training_to timestamptz,
  add column quality jsonb not null default '{}',
  add column checksum text not null default '',
  add column is_pinned boolean not null default false;
comment on column model_versions.quality is 'Figures measured on training_from to training_to.';
comment on column model_versions.checksum is 'Of algorithm, version, profile and parameters; empty before this column was.';
comment on column model_versions.is_pinned is 'Activated by hand: the configuration does not replace it.';

create table jobs (
  tenant_id int not null,
  id bigint generated always as identity,
  kind text not null check (kind in ('retrain', 'evaluate', 'train')),
  parameters jsonb not null default '{}',
  due_at timestamptz,
  state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
  progress double precision not null default 0,
  result jsonb,
  error text not null default '',
  owner text not null default '',
  lease_until timestamptz,
  attempts int not null default 0,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 80);
comment on column jobs.due_at is 'When the schedule asked for it; null when somebody did. Unique, so that one replica makes it.';
comment on column jobs.lease_until is 'A running job whose owner does not renew this is taken up by another.';
create unique index jobs_due on jobs (tenant_id, kind, due_at) where due_at is not null;
create index jobs_unfinished on jobs (tenant_id, id) where state in ('queued', 'running');
create index jobs_created on jobs (tenant_id, created_at desc, id desc);
