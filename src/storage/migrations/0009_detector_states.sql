-- What detectors have learned, so that a restarted daemon or another replica goes on without a new warm-up.

create table detector_states (
  tenant_id int not null,
  model_key text not null,
  series_id int not null,
  last_time timestamptz not null,
  saved_at timestamptz not null default now(),
  state bytea not null,
  primary key (tenant_id, model_key, series_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1, toast.autovacuum_vacuum_scale_factor = 0.2);
comment on table detector_states is
  'One sealed state a series and model: safe to delete, the detector is then learned anew from stored samples.';
comment on column detector_states.model_key is 'Names algorithm and parameters: states of different models never mix.';
comment on column detector_states.last_time is 'The last step in the state; steps after it are replayed from samples.';
-- Floats of detectors do not compress.
alter table detector_states alter column state set storage external;
create index detector_states_saved on detector_states (tenant_id, saved_at);
