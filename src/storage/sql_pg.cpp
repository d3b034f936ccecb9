#include "storage/sql_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <algorithm>
#include <stdexcept>

namespace sensus::storage {

std::string matcher_condition(const std::string& column, int first) {
  const auto p = [first](int n) { return "$" + std::to_string(first + n); };
  // What a label index can answer goes into the containment; the rest is tested row by row. A
  // missing label is "". The "or" keeps the planner from making an anti-join of it, which it takes
  // for one row at most and then sorts the whole table instead of following an index to the limit.
  return column + " @> " + p(0) + "::jsonb and (cardinality(" + p(1) +
         "::text[]) = 0 or not exists (select from unnest(" + p(1) + "::text[], " + p(2) +
         "::text[], " + p(3) + "::int[]) m(name, value, equal) where (coalesce(" + column +
         " ->> m.name, '') = m.value) <> (m.equal = 1)))";
}

void add_matchers(pg::Params& params, const std::vector<model::Matcher>& matchers) {
  model::Labels contained;
  std::vector<std::string> names;
  std::vector<std::string> values;
  std::vector<std::int64_t> equal;
  for (const model::Matcher& matcher : matchers) {
    const bool is_equal = matcher.op == model::MatchOp::equal;
    if (is_equal && !matcher.value.empty() && contained.find(matcher.name) == nullptr) {
      contained.set(matcher.name, matcher.value);
      continue;
    }
    names.push_back(matcher.name);
    values.push_back(matcher.value);
    equal.push_back(is_equal ? 1 : 0);
  }
  params.text(codec::render_labels(contained)).texts(names).texts(values).integers(equal);
}

model::Labels read_labels(const pg::Rows& rows, std::size_t row, std::size_t column) {
  const std::string_view json = rows.text(row, column);
  auto labels = codec::parse_labels(json);
  return labels ? std::move(*labels) : codec::salvage_labels(json);
}

std::vector<std::uint8_t> to_bytes(const model::LabelsHash& hash) {
  return {std::begin(hash.bytes), std::end(hash.bytes)};
}

model::LabelsHash read_hash(const pg::Rows& rows, std::size_t row, std::size_t column) {
  const auto bytes = rows.bytes(row, column);
  model::LabelsHash hash;
  if (bytes.size() != std::size(hash.bytes)) {
    throw std::logic_error("a stored hash does not have 16 bytes");
  }
  std::ranges::copy(bytes, std::begin(hash.bytes));
  return hash;
}

void add_page_key(pg::Params& params, const std::optional<model::PageKey>& after) {
  if (after) {
    params.time(after->time).integer(after->id);
  } else {
    params.null().null();
  }
}

void store_events(pg::Tx& tx, TenantId tenant, const std::vector<model::NewEvent>& events) {
  if (events.empty()) {
    return;
  }
  std::vector<std::string> topics;
  std::vector<std::string> types;
  std::vector<std::string> payloads;
  for (const model::NewEvent& event : events) {
    topics.emplace_back(model::to_string(event.topic));
    types.push_back(event.type);
    payloads.push_back(event.payload);
  }
  (void)tx.exec(
      "insert into sensus.outbox (tenant_id, topic, type, payload) "
      "select $1::int, e.topic, e.type, e.payload from unnest($2::text[], $3::text[], $4::text[]) "
      "e(topic, type, payload)",
      pg::Params().integer(tenant).texts(topics).texts(types).texts(payloads));
}

void plan_for_a_queue(pg::Tx& tx) {
  (void)tx.exec(
      "select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
      "set_config('enable_mergejoin', 'off', true)");
}

void finish_events(pg::Tx& tx, std::vector<EventId> ids) {
  std::erase(ids, EventId{0});
  if (ids.empty()) {
    return;
  }
  plan_for_a_queue(tx);
  (void)tx.exec(
      "delete from sensus.outbox o using (select tenant_id, id from sensus.outbox where id = "
      "any($1::bigint[]) order by id for update) d "
      "where o.tenant_id = d.tenant_id and o.id = d.id",
      pg::Params().integers(ids));
}

}  // namespace sensus::storage
