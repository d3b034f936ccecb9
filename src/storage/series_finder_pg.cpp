#include "storage/series_finder_internal.hpp"

#include "sensus/codec/model_json.hpp"
#include "storage/regex_internal.hpp"
#include "storage/sql_internal.hpp"

#include <algorithm>

namespace sensus::storage {
namespace {

using model::SeriesMatcher;
using model::SeriesMatchOp;
using pg::Params;
using pg::Rows;
using pg::Tx;

constexpr std::size_t kNamesMax = 20'000;

/// Matchers as parameters: what a label index can answer goes into the containment, the rest is
/// tested series by series. A value of `op` says how (see kRefused).
struct Conditions {
  model::Labels contained;
  std::vector<std::string> names;
  std::vector<std::string> values;
  std::vector<std::int64_t> ops;
  bool has_regex = false;

  void add(const std::string& name, const std::string& value, std::int64_t op) {
    names.push_back(name);
    values.push_back(value);
    ops.push_back(op);
  }
};

/// True for a value `x` that the matcher m(name, value, op) does not take. A list of literals is
/// joined by "|", which none of them holds.
std::string refused(const std::string& x) {
  return "case m.op when 0 then " + x + " <> m.value when 1 then " + x +
         " = m.value when 2 then not (" + x + " ~ m.value) when 3 then " + x +
         " ~ m.value when 4 then not (" + x + " = any(string_to_array(m.value, '|'))) else " + x +
         " = any(string_to_array(m.value, '|')) end";
}
constexpr std::int64_t kEqual = 0;
constexpr std::int64_t kRegex = 2;
constexpr std::int64_t kOneOf = 4;

const std::string kNames =
    "with recursive n(name) as ((select s.metric_name from sensus.series s where s.tenant_id = "
    "$1::int order by s.metric_name limit "
    "1) union all select (select s.metric_name from sensus.series s where s.tenant_id = $1::int "
    "and s.metric_name > n.name order by "
    "s.metric_name limit 1) from n where n.name is not null) select n.name from n where n.name is "
    "not null and not exists (select "
    "from unnest($2::text[], $3::int[]) m(value, op) where " +
    refused("n.name") + ") limit $4::bigint";

// Series that ended long before the window would use the limit up; last_seen follows in steps of
// minutes, so the hour is ample. The "or" keeps the planner from an anti-join, which it takes for
// one row at most and then sorts the whole table.
const std::string kFind =
    "select s.id, s.metric_name, s.labels, s.first_seen, s.last_seen, s.ended_at from sensus.series s where "
    "s.tenant_id = $1::int and s.id > "
    "$2::int and ($3::boolean or s.metric_name = any($4::text[])) and ($5::timestamptz is null or "
    "s.last_seen >= $5::timestamptz - "
    "interval '1 hour') and ($6::jsonb = '{}' or s.labels @> $6::jsonb) and (cardinality($7::text[]) = 0 or not exists "
    "(select from unnest($7::text[], "
    "$8::text[], $9::int[]) m(name, value, op) where " +
    refused("coalesce(s.labels ->> m.name, '')") + ")) order by s.id limit $10::bigint";

// Few rows by their ids: every condition is tested row by row.
const std::string kAmong =
    "select s.id from sensus.series s where s.tenant_id = $1::int and s.id = any($2::int[]) and "
    "($3::jsonb = '{}' or s.labels @> $3::jsonb) and not exists (select from unnest($4::text[], "
    "$5::int[]) m(value, op) where " +
    refused("s.metric_name") +
    ") and not exists (select from unnest($6::text[], $7::text[], $8::int[]) m(name, value, op) "
    "where " +
    refused("coalesce(s.labels ->> m.name, '')") + ")";
constexpr std::string_view kByIds =
    "select s.id, s.metric_name, s.labels, s.first_seen, s.last_seen from sensus.series s where "
    "s.tenant_id = $1::int and s.id = any($2::int[]) order by s.id";

constexpr std::string_view kEmptyMatches = "select '' ~ $1::text";
// What is left of the statement's time, at most a second: an expression must not hold a session.
constexpr std::string_view kHurry =
    "select set_config('statement_timeout', least((extract(epoch from "
    "current_setting('statement_timeout')::interval) * "
    "1000)::bigint, 1000)::text, true)";
constexpr std::string_view kTimeLimit = "select current_setting('statement_timeout')";
constexpr std::string_view kSetTimeLimit = "select set_config('statement_timeout', $1, true)";

bool is_negative(SeriesMatchOp op) {
  return op == SeriesMatchOp::not_equal || op == SeriesMatchOp::not_regex;
}

/// For PostgreSQL's operator ~.
std::string pattern_of(const SqlRegex& regex, const SeriesMatcher& matcher) {
  return regex.pattern.empty() ? "^(?:" + matcher.value + ")$" : regex.pattern;
}

std::string join(const std::vector<std::string>& literals) {
  std::string out;
  for (const std::string& literal : literals) {
    out += (&literal == &literals.front() ? "" : "|") + literal;
  }
  return out;
}

Result<> add_condition(Conditions& out, const SeriesMatcher& matcher) {
  const std::int64_t negative = is_negative(matcher.op) ? 1 : 0;
  if (matcher.op == SeriesMatchOp::equal || matcher.op == SeriesMatchOp::not_equal) {
    out.add(matcher.name, matcher.value, kEqual + negative);
    return {};
  }
  SENSUS_TRY(const SqlRegex regex, rewrite_regex(matcher.value));
  const bool joinable =
      regex.literals && std::ranges::none_of(*regex.literals, [](const std::string& literal) {
        return literal.empty() || literal.find('|') != std::string::npos;
      });
  if (joinable) {
    out.add(matcher.name, join(*regex.literals), kOneOf + negative);
    return {};
  }
  if (regex.literals && regex.literals->size() == 1) {
    out.add(matcher.name, regex.literals->front(), kEqual + negative);
    return {};
  }
  out.add(matcher.name, pattern_of(regex, matcher), kRegex + negative);
  out.has_regex = true;
  return {};
}

/// Splits a selector into what is asked of the name and what of the labels.
Result<> sort_matchers(const model::Selector& selector, Conditions& names, Conditions& labels) {
  for (const SeriesMatcher& matcher : selector) {
    const bool indexed = matcher.op == SeriesMatchOp::equal && !matcher.value.empty() &&
                         matcher.name != model::kNameLabel &&
                         labels.contained.find(matcher.name) == nullptr;
    if (indexed) {
      labels.contained.set(matcher.name, matcher.value);
      continue;
    }
    SENSUS_TRY_VOID(add_condition(matcher.name == model::kNameLabel ? names : labels, matcher));
  }
  return {};
}

/// The names that all conditions take.
Result<std::vector<std::string>> find_names(Tx& tx, TenantId tenant, const Conditions& names) {
  const auto equal = std::ranges::find(names.ops, kEqual);
  if (names.ops.size() == 1 && equal != names.ops.end()) {
    return names.values;
  }
  const Rows rows = tx.exec(kNames, Params()
                                        .integer(tenant)
                                        .texts(names.values)
                                        .integers(names.ops)
                                        .integer(static_cast<std::int64_t>(kNamesMax) + 1));
  if (rows.size() > kNamesMax) {
    return make_error(
        Errc::invalid_input,
        "more than " + std::to_string(kNamesMax) + " names of metrics match: ask for fewer",
        "query");
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.emplace_back(rows.text(i, 0));
  }
  return out;
}

/// invalid_input unless a matcher refuses the empty value.
Result<> check_selective(Tx& tx, const model::Selector& selector) {
  bool selective = false;
  for (const SeriesMatcher& matcher : selector) {
    bool takes_empty = matcher.value.empty();
    if (matcher.op == SeriesMatchOp::regex || matcher.op == SeriesMatchOp::not_regex) {
      SENSUS_TRY(const SqlRegex regex, rewrite_regex(matcher.value));
      takes_empty = tx.exec(kEmptyMatches, Params().text(pattern_of(regex, matcher))).boolean(0, 0);
    }
    selective = selective || takes_empty == is_negative(matcher.op);
  }
  if (!selective) {
    return make_error(Errc::invalid_input,
                      "the selector would choose every series: give the name of a metric, or a "
                      "matcher that refuses the empty value, "
                      "such as job=\"api\" or job=~\".+\"",
                      "query");
  }
  return {};
}

/// Ids of those that match, ascending.
Result<std::vector<SeriesId>> find_among(Tx& tx, TenantId tenant, const std::vector<SeriesId>& ids,
                                         const model::Selector& selector) {
  Conditions names;
  Conditions labels;
  SENSUS_TRY_VOID(sort_matchers(selector, names, labels));
  Params params;
  params.integer(tenant).integers({ids.begin(), ids.end()});
  params.text(codec::render_labels(labels.contained)).texts(names.values).integers(names.ops);
  params.texts(labels.names).texts(labels.values).integers(labels.ops);
  const Rows rows = tx.exec(kAmong, params);
  std::vector<SeriesId> found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    found.push_back(static_cast<SeriesId>(rows.integer(i, 0)));
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

Result<> check_selector(const model::Selector& selector) {
  Conditions names;
  Conditions labels;
  return sort_matchers(selector, names, labels);
}

Result<std::vector<SeriesMatch>> match_series(Tx& tx, TenantId tenant,
                                              const std::vector<SeriesId>& ids,
                                              const std::vector<model::Selector>& selectors) {
  const Rows rows = tx.exec(kByIds, Params().integer(tenant).integers({ids.begin(), ids.end()}));
  std::vector<SeriesMatch> matches;
  for (SeriesInfo& series : read_series(rows)) {
    matches.push_back({std::move(series), std::nullopt});
  }
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    SENSUS_TRY(const std::vector<SeriesId> found, find_among(tx, tenant, ids, selectors[i]));
    for (SeriesMatch& match : matches) {
      if (!match.selector && std::ranges::binary_search(found, match.series.id)) {
        match.selector = i;
      }
    }
  }
  return matches;
}

model::Selector join_selector(const std::string& metric_name,
                              const std::vector<model::Matcher>& matchers,
                              const model::Selector& selector) {
  model::Selector out;
  if (!metric_name.empty()) {
    out.push_back({std::string(model::kNameLabel), SeriesMatchOp::equal, metric_name});
  }
  for (const model::Matcher& matcher : matchers) {
    const bool equal = matcher.op == model::MatchOp::equal;
    out.push_back(
        {matcher.name, equal ? SeriesMatchOp::equal : SeriesMatchOp::not_equal, matcher.value});
  }
  out.insert(out.end(), selector.begin(), selector.end());
  return out;
}

Result<std::vector<SeriesInfo>> find_series(Tx& tx, TenantId tenant, const SeriesSearch& search) {
  Conditions names;
  Conditions labels;
  SENSUS_TRY_VOID(sort_matchers(search.selector, names, labels));
  const bool has_regex = names.has_regex || labels.has_regex;
  std::string time_limit;
  if (has_regex) {
    time_limit = tx.exec(kTimeLimit).text(0, 0);
    (void)tx.exec(kHurry);
  }
  if (search.selective) {
    SENSUS_TRY_VOID(check_selective(tx, search.selector));
  }
  std::vector<std::string> found;
  if (!names.ops.empty()) {
    SENSUS_TRY(found, find_names(tx, tenant, names));
  }
  Params params;
  params.integer(tenant)
      .integer(search.after)
      .boolean(names.ops.empty())
      .texts(found)
      .time_or_null(search.seen_from);
  params.text(codec::render_labels(labels.contained))
      .texts(labels.names)
      .texts(labels.values)
      .integers(labels.ops);
  params.integer(static_cast<std::int64_t>(search.limit));
  auto series = read_series(tx.exec(kFind, params));
  if (has_regex) {
    (void)tx.exec(kSetTimeLimit, Params().text(time_limit));
  }
  return series;
}

std::vector<SeriesInfo> read_series(const Rows& rows) {
  std::vector<SeriesInfo> series;
  series.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    series.push_back({static_cast<SeriesId>(rows.integer(i, 0)), std::string(rows.text(i, 1)),
                      read_labels(rows, i, 2), rows.time(i, 3), rows.time(i, 4), rows.time_or_null(i, 5)});
  }
  return series;
}

}  // namespace sensus::storage
