#include "storage/alert_rows_internal.hpp"
#include "storage/sql_internal.hpp"

#include <map>
#include <stdexcept>

namespace sensus::storage {
namespace {

/// Past this many label sets a batch takes the tenant's lock alone instead of one lock each, which
/// would fill the lock table.
constexpr std::size_t kLocksMax = 256;
/// First key of the tenant's lock; any constant, the same in every version.
constexpr std::int64_t kTenantLock = 7234;

std::int64_t lock_key(const model::LabelsHash& hash) {
  std::uint64_t key = 0;
  for (int i = 0; i < 8; ++i) {
    key = key << 8 | hash.bytes[i];
  }
  return static_cast<std::int64_t>(key);
}

/// Batches with a label set in common go one after another; others run side by side. Row locks
/// cannot do that, since a new label set has no row yet. Locks are taken in the order of the keys,
/// so no two batches can wait for each other.
void lock_label_sets(pg::Tx& tx, TenantId tenant, const std::vector<model::LabelsHash>& hashes) {
  if (hashes.size() > kLocksMax) {
    (void)tx.exec("select pg_advisory_xact_lock($1::int, $2::int)",
                  pg::Params().integer(kTenantLock).integer(tenant));
    return;
  }
  std::vector<std::int64_t> keys;
  for (const model::LabelsHash& hash : hashes) {
    keys.push_back(lock_key(hash) ^ tenant);
  }
  std::ranges::sort(keys);
  (void)tx.exec(
      "select count(pg_advisory_xact_lock(k.key)) from (select "
      "pg_advisory_xact_lock_shared($1::int, $2::int)) t, "
      "unnest($3::bigint[]) k(key)",
      pg::Params().integer(kTenantLock).integer(tenant).integers(keys));
}

/// The newest episodes of each label set. An arrival older than all of them meets the unique key
/// instead.
void load_known(pg::Tx& tx, TenantId tenant, AlertPlan& plan) {
  std::vector<std::vector<std::uint8_t>> hashes;
  for (const model::LabelsHash& hash : plan.hashes()) {
    hashes.push_back(to_bytes(hash));
  }
  const pg::Rows rows = tx.exec(
      "select a.id, a.labels_hash, a.status, a.starts_at, a.ends_at, a.resolved_received_at, "
      "a.created_at, a.last_received_at, "
      "a.receive_count, a.fingerprint, a.generator_url, a.receiver from unnest($2::bytea[]) "
      "k(hash) cross join lateral "
      "(select * from sensus.alerts where tenant_id = $1::int and labels_hash = k.hash order by "
      "starts_at desc limit 64) a",
      pg::Params().integer(tenant).byteas(hashes));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    PlannedEpisode known;
    known.row.id = rows.integer(i, 0);
    known.hash = read_hash(rows, i, 1);
    known.row.status =
        rows.text(i, 2) == "resolved" ? model::AlertStatus::resolved : model::AlertStatus::firing;
    known.row.starts_at = rows.time(i, 3);
    known.row.ends_at = rows.time_or_null(i, 4);
    known.resolved_received_at = rows.time_or_null(i, 5).value_or(Timestamp{});
    known.row.created_at = rows.time(i, 6);
    known.row.last_received_at = rows.time(i, 7);
    known.row.receive_count = rows.integer(i, 8);
    known.row.fingerprint = rows.text(i, 9);
    known.row.generator_url = rows.text(i, 10);
    known.receiver = rows.text(i, 11);
    plan.add_known(std::move(known));
  }
}

/// Columns of many episodes, as arrays for unnest.
struct EpisodeColumns {
  std::vector<std::int64_t> ids;
  std::vector<std::vector<std::uint8_t>> hashes;
  std::vector<std::string> statuses;
  std::vector<Timestamp> starts;
  std::vector<std::optional<Timestamp>> ends;
  std::vector<std::optional<Timestamp>> resolved_received;
  std::vector<Timestamp> last_received;
  std::vector<std::int64_t> received;
  std::vector<std::string> annotations;
  std::vector<std::string> descriptions;
  std::vector<std::string> generator_urls;
  std::vector<std::string> receivers;

  void append(const PlannedEpisode& episode) {
    const bool resolved = episode.row.status == model::AlertStatus::resolved;
    ids.push_back(episode.row.id);
    hashes.push_back(to_bytes(episode.hash));
    statuses.emplace_back(model::to_string(episode.row.status));
    starts.push_back(episode.row.starts_at);
    ends.push_back(episode.row.ends_at);
    resolved_received.push_back(resolved ? std::optional(episode.resolved_received_at)
                                         : std::nullopt);
    last_received.push_back(episode.row.last_received_at);
    received.push_back(episode.received);
    annotations.push_back(codec::render_labels(episode.row.annotations));
    descriptions.push_back(episode.row.description);
    generator_urls.push_back(episode.row.generator_url);
    receivers.push_back(episode.receiver);
  }
};

/// Gives new episodes their ids. One that turns out to exist (older than what was loaded) becomes a
/// refresh.
void insert_new(pg::Tx& tx, TenantId tenant, AlertPlan& plan) {
  EpisodeColumns columns;
  std::vector<std::string> names;
  std::vector<std::string> severities;
  std::vector<std::string> labels;
  std::vector<std::string> fingerprints;
  std::map<std::pair<model::LabelsHash, Timestamp>, std::size_t> position;
  for (std::size_t i = 0; i < plan.episodes().size(); ++i) {
    const PlannedEpisode& episode = plan.episodes()[i];
    if (episode.row.id != 0) {
      continue;
    }
    position[{episode.hash, episode.row.starts_at}] = i;
    columns.append(episode);
    names.push_back(episode.row.alert_name);
    severities.push_back(episode.row.severity);
    labels.push_back(codec::render_labels(episode.row.labels));
    fingerprints.push_back(episode.row.fingerprint);
  }
  if (position.empty()) {
    return;
  }
  pg::Params params;
  params.integer(tenant)
      .byteas(columns.hashes)
      .texts(fingerprints)
      .texts(names)
      .texts(severities)
      .texts(columns.descriptions);
  params.texts(labels)
      .texts(columns.annotations)
      .times(columns.starts)
      .times_or_null(columns.ends)
      .texts(columns.generator_urls);
  params.texts(columns.statuses)
      .texts(columns.receivers)
      .times(columns.last_received)
      .times_or_null(columns.resolved_received);
  params.integers(columns.received);
  const pg::Rows rows = tx.exec(
      "insert into sensus.alerts as a (tenant_id, labels_hash, fingerprint, alert_name, severity, "
      "description, labels, annotations, "
      "starts_at, ends_at, generator_url, status, receiver, created_at, updated_at, "
      "last_received_at, resolved_received_at, receive_count) "
      "select $1::int, x.hash, x.fingerprint, x.name, x.severity, x.description, x.labels::jsonb, "
      "x.annotations::jsonb, x.starts_at, "
      "x.ends_at, x.url, x.status, x.receiver, x.received_at, x.received_at, x.received_at, "
      "x.resolved_received_at, x.count "
      "from unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], "
      "$8::text[], $9::timestamptz[], "
      "$10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], "
      "$15::timestamptz[], $16::bigint[]) "
      "x(hash, fingerprint, name, severity, description, labels, annotations, starts_at, ends_at, "
      "url, status, receiver, received_at, "
      "resolved_received_at, count) "
      "on conflict (tenant_id, labels_hash, starts_at) do update set receive_count = "
      "a.receive_count + excluded.receive_count, "
      "last_received_at = greatest(a.last_received_at, excluded.last_received_at) "
      "returning a.id, a.labels_hash, a.starts_at, (a.xmax = 0)",
      params);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t at = position.at({read_hash(rows, i, 1), rows.time(i, 2)});
    plan.episodes()[at].row.id = rows.integer(i, 0);
    if (!rows.boolean(i, 3)) {
      for (AlertPlan::Decision& decision : plan.decisions()) {
        decision.action = decision.episode == at ? model::MergeAction::refresh : decision.action;
      }
      std::erase_if(plan.changes(),
                    [at](const PlannedChange& change) { return change.episode == at; });
    }
    plan.episodes()[at].changed = false;
  }
}

void update_changed(pg::Tx& tx, TenantId tenant, AlertPlan& plan) {
  EpisodeColumns columns;
  for (const PlannedEpisode& episode : plan.episodes()) {
    if (episode.changed) {
      columns.append(episode);
    }
  }
  if (columns.ids.empty()) {
    return;
  }
  pg::Params params;
  params.integer(tenant)
      .integers(columns.ids)
      .texts(columns.statuses)
      .times(columns.starts)
      .times_or_null(columns.ends);
  params.times_or_null(columns.resolved_received)
      .times(columns.last_received)
      .integers(columns.received);
  params.texts(columns.annotations)
      .texts(columns.descriptions)
      .texts(columns.generator_urls)
      .texts(columns.receivers);
  (void)tx.exec(
      "update sensus.alerts a set status = x.status, starts_at = x.starts_at, ends_at = x.ends_at, "
      "resolved_received_at = x.resolved_received_at, last_received_at = x.last_received_at, "
      "updated_at = x.last_received_at, "
      "receive_count = a.receive_count + x.received, annotations = x.annotations::jsonb, "
      "description = x.description, "
      "generator_url = x.url, receiver = x.receiver "
      "from unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], "
      "$6::timestamptz[], $7::timestamptz[], $8::bigint[], "
      "$9::text[], $10::text[], $11::text[], $12::text[]) "
      "x(id, status, starts_at, ends_at, resolved_received_at, last_received_at, received, "
      "annotations, description, url, receiver) "
      "where a.tenant_id = $1::int and a.id = x.id",
      params);
}

std::string_view change_name(model::MergeAction action) {
  switch (action) {
    case model::MergeAction::create: return "created";
    case model::MergeAction::resolve: return "resolved";
    case model::MergeAction::reopen: return "reopened";
    case model::MergeAction::refresh: break;
  }
  throw std::logic_error("a refresh is not a change");
}

std::vector<model::NewEvent> make_events(TenantId tenant, AlertPlan& plan) {
  std::vector<model::NewEvent> events;
  events.reserve(plan.changes().size() * 2);
  for (PlannedChange& change : plan.changes()) {
    change.snapshot.id = plan.episodes()[change.episode].row.id;
    const std::string payload =
        codec::render_alert_event(tenant, change_name(change.action), change.snapshot);
    events.push_back({model::Topic::alerts, "alert", payload});
    events.push_back({model::Topic::events, "alert", payload});
  }
  return events;
}

void store_quarantined(pg::Tx& tx, TenantId tenant,
                       const std::vector<model::QuarantinedAlert>& alerts, Timestamp received_at) {
  if (alerts.empty()) {
    return;
  }
  std::vector<std::vector<std::uint8_t>> originals;
  std::vector<std::string> reasons;
  std::vector<std::string> codes;
  for (const model::QuarantinedAlert& alert : alerts) {
    originals.emplace_back(alert.original.begin(), alert.original.end());
    reasons.push_back(alert.reason);
    codes.push_back(alert.code);
  }
  // In the order of the key, so that two batches wait for each other in one direction only.
  (void)tx.exec(
      "insert into sensus.quarantine (tenant_id, source, original, reason, code, received_at, last_received_at, occurrences) "
      "select $1::int, 'alerts', q.original, q.reason, q.code, $2::timestamptz, $2::timestamptz, q.n from ("
      "select (array_agg(u.original))[1] as original, (array_agg(u.reason))[1] as reason, u.code, count(*) as n "
      "from unnest($3::bytea[], $4::text[], $5::text[]) u(original, reason, code) "
      "group by u.code, sensus.quarantine_digest(u.original) order by u.code, sensus.quarantine_digest(u.original)) q "
      "on conflict (tenant_id, source, code, digest) do update set occurrences = quarantine.occurrences + excluded.occurrences, "
      "original = excluded.original, reason = excluded.reason, "
      "last_received_at = greatest(quarantine.last_received_at, excluded.last_received_at)",
      pg::Params().integer(tenant).time(received_at).byteas(originals).texts(reasons).texts(codes));
}

}  // namespace

std::vector<AlertOutcome> merge_alerts(pg::Tx& tx, TenantId tenant, const model::AlertBatch& batch,
                                       Timestamp received_at) {
  std::vector<AlertOutcome> outcomes;
  store_quarantined(tx, tenant, batch.quarantined, received_at);
  if (batch.arrivals.empty()) {
    return outcomes;
  }
  AlertPlan plan(batch, received_at);
  lock_label_sets(tx, tenant, plan.hashes());
  load_known(tx, tenant, plan);
  plan.merge();
  insert_new(tx, tenant, plan);
  update_changed(tx, tenant, plan);
  store_events(tx, tenant, make_events(tenant, plan));
  outcomes.reserve(plan.decisions().size());
  for (const AlertPlan::Decision& decision : plan.decisions()) {
    outcomes.push_back({plan.episodes()[decision.episode].row.id, decision.action});
  }
  return outcomes;
}

}  // namespace sensus::storage
