-- Which alerts overlap a window: without it every report of a quiet day read all alerts that ever were.
create index alerts_ends_at on alerts (tenant_id, ends_at);
