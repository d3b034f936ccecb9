-- What dashboards read beside metrics, alert_episodes, analyses and samples(): a view a table. No view shows payloads or raw bytes that
-- somebody posted and that were refused.

create view series_list as
select tenant_id, id, metric_name, labels, first_seen, last_seen from series;

create view metric_families as
select tenant_id, family, type, unit, help, updated_at from metric_metadata;

create view anomalies as
select r.tenant_id, r.id, r.series_id, s.metric_name, s.labels, r.observed_at, r.score, (r.analysis_data ->> 'value')::float8 as value,
       (r.analysis_data ->> 'expected')::float8 as expected, (r.analysis_data ->> 'threshold')::float8 as threshold, r.model_name,
       r.model_version, r.created_at
from ai_analysis_results r
left join known_series s on s.tenant_id = r.tenant_id and s.id = r.series_id
where r.analysis_type = 'anomaly_detection';

create view model_list as
select tenant_id, id, algorithm, version, parameters, training_date, is_active, created_at from model_versions;

-- A filter on window_start (a slot begins less than six hours after it) and on series_id or metric_name reads few rows.
create view metrics_5m as
select s.tenant_id, s.id as series_id, s.metric_name, s.labels, r.t_min as window_start, r.t_min + u.slot * interval '5 minutes' as "timestamp",
       u.lowest, u.highest, case when abs(u.total) < 1e-290 then 0 else u.total / u.samples end as average, u.total, u.samples, u.newest
from rollups_5m r
join series s on s.tenant_id = r.tenant_id and s.id = r.series_id
cross join lateral (
  select unnest(r.slot) as slot, unnest(r.lowest) as lowest, unnest(r.highest) as highest, unnest(r.total) as total,
         unnest(r.samples) as samples, unnest(r.newest) as newest
) u;

create view metrics_1h as
select s.tenant_id, s.id as series_id, s.metric_name, s.labels, r.t_min as window_start, r.t_min + u.slot * interval '1 hour' as "timestamp",
       u.lowest, u.highest, case when abs(u.total) < 1e-290 then 0 else u.total / u.samples end as average, u.total, u.samples, u.newest
from rollups_1h r
join series s on s.tenant_id = r.tenant_id and s.id = r.series_id
cross join lateral (
  select unnest(r.slot) as slot, unnest(r.lowest) as lowest, unnest(r.highest) as highest, unnest(r.total) as total,
         unnest(r.samples) as samples, unnest(r.newest) as newest
) u;

create view stored_days as
select tenant_id, day, t_max as newest, compacted_at, rolled_up, raw_gone from sample_days;

create view quarantined as
select tenant_id, id, source, code, reason, occurrences, received_at, last_received_at from quarantine;

create view given_up_events as
select tenant_id, event_id, consumer_group, topic, type, deliveries, reason, event_created_at, created_at from dead_letters;

do $$
declare
  name text;
begin
  foreach name in array array['series_list', 'metric_families', 'anomalies', 'model_list', 'metrics_5m', 'metrics_1h', 'stored_days',
                              'quarantined', 'given_up_events'] loop
    execute format('grant select on %I to sensus_grafana', name);
    execute format('revoke insert, update, delete on %I from sensus_app', name);
  end loop;
end
$$;
