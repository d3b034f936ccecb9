-- Senders tell that a series ended (a stale marker): its target went away, nothing is to be expected of it.
alter table series add column ended_at timestamptz;
comment on column series.ended_at is 'When the sender said that the series ended; null while it goes on. A later sample clears it.';
create or replace view series_list as
select tenant_id, id, metric_name, labels, first_seen, last_seen, ended_at from series;
