#include "replies_internal.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace sensus::stream {
namespace {
using redis::Reply;

Error odd(std::string_view command) {
  return make_error(Errc::corrupt, "unexpected reply of Redis to " + std::string(command));
}

bool is_missing_key(const Reply& reply) {
  return reply.error() != nullptr && reply.error()->text.find("no such key") != std::string::npos;
}

/// A flat list of name, value, name, value.
const Reply* find_field(const Reply& flat, std::string_view name) {
  const Reply::Array* pairs = flat.array();
  for (std::size_t i = 0; pairs != nullptr && i + 1 < pairs->size(); i += 2) {
    const std::string* field = (*pairs)[i].text();
    if (field != nullptr && *field == name) {
      return &(*pairs)[i + 1];
    }
  }
  return nullptr;
}
std::string text_field(const Reply& flat, std::string_view name) {
  const Reply* field = find_field(flat, name);
  return field != nullptr && field->text() != nullptr ? *field->text() : std::string{};
}
std::optional<std::int64_t> integer_field(const Reply& flat, std::string_view name) {
  const Reply* field = find_field(flat, name);
  return field != nullptr && field->integer() != nullptr ? std::optional(*field->integer())
                                                         : std::nullopt;
}

}  // namespace

Result<> check_reply(const Reply& reply) {
  if (reply.error() == nullptr) {
    return {};
  }
  const std::string& text = reply.error()->text;
  const bool gone = text.starts_with("NOGROUP") || text.starts_with("UNBLOCKED");
  return make_error(gone ? Errc::not_found : Errc::unavailable,
                    "Redis said " + text.substr(0, 200));
}

Result<std::vector<RawEntry>> parse_entries(Reply reply) {
  SENSUS_TRY_VOID(check_reply(reply));
  auto* list = std::get_if<Reply::Array>(&reply.value);
  if (list == nullptr) {
    return odd("a read of entries");
  }
  std::vector<RawEntry> entries;
  entries.reserve(list->size());
  for (Reply& one : *list) {
    auto* pair = std::get_if<Reply::Array>(&one.value);
    if (one.is_nil()) {
      continue;  // Redis before 7 answers so for a deleted entry.
    }
    if (pair == nullptr || pair->size() != 2 || (*pair)[0].text() == nullptr) {
      return odd("a read of entries");
    }
    entries.push_back(RawEntry{*(*pair)[0].text(), std::move((*pair)[1])});
  }
  return entries;
}

Result<std::vector<RawEntry>> parse_read(Reply reply) {
  SENSUS_TRY_VOID(check_reply(reply));
  if (reply.is_nil()) {
    return std::vector<RawEntry>{};
  }
  auto* streams = std::get_if<Reply::Array>(&reply.value);
  auto* first = streams != nullptr && streams->size() == 1
                    ? std::get_if<Reply::Array>(&streams->front().value)
                    : nullptr;
  if (first == nullptr || first->size() != 2) {
    return odd("XREADGROUP");
  }
  return parse_entries(std::move((*first)[1]));
}

Result<Claimed> parse_autoclaim(Reply reply) {
  SENSUS_TRY_VOID(check_reply(reply));
  auto* parts = std::get_if<Reply::Array>(&reply.value);
  if (parts == nullptr || parts->size() < 2 || (*parts)[0].text() == nullptr) {
    return odd("XAUTOCLAIM");
  }
  Claimed claimed;
  claimed.next = *(*parts)[0].text();
  SENSUS_TRY(claimed.entries, parse_entries(std::move((*parts)[1])));
  const Reply::Array* deleted = parts->size() > 2 ? (*parts)[2].array() : nullptr;
  for (std::size_t i = 0; deleted != nullptr && i < deleted->size(); ++i) {
    if (const std::string* id = (*deleted)[i].text()) {
      claimed.deleted.push_back(*id);
    }
  }
  return claimed;
}

Result<std::vector<GroupState>> parse_groups(const Reply& reply) {
  if (is_missing_key(reply)) {
    return std::vector<GroupState>{};
  }
  SENSUS_TRY_VOID(check_reply(reply));
  if (reply.array() == nullptr) {
    return odd("XINFO GROUPS");
  }
  std::vector<GroupState> groups;
  for (const Reply& one : *reply.array()) {
    GroupState group;
    group.name = text_field(one, "name");
    group.pending = integer_field(one, "pending").value_or(0);
    group.last_delivered = text_field(one, "last-delivered-id");
    group.entries_read = integer_field(one, "entries-read");
    group.lag = integer_field(one, "lag");
    if (!parse_stream_id(group.last_delivered)) {
      return odd("XINFO GROUPS");
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

Result<std::optional<StreamId>> parse_least_pending(const Reply& reply) {
  SENSUS_TRY_VOID(check_reply(reply));
  const Reply::Array* parts = reply.array();
  if (parts == nullptr || parts->size() < 2) {
    return odd("XPENDING");
  }
  if ((*parts)[1].text() == nullptr) {
    return std::optional<StreamId>{};
  }
  const std::optional<StreamId> least = parse_stream_id(*(*parts)[1].text());
  if (!least) {
    return odd("XPENDING");
  }
  return least;
}

Result<std::int64_t> parse_deliveries(const Reply& reply) {
  SENSUS_TRY_VOID(check_reply(reply));
  const Reply::Array* rows = reply.array();
  if (rows == nullptr) {
    return odd("XPENDING");
  }
  if (rows->empty()) {
    return std::int64_t{0};
  }
  const Reply::Array* row = rows->front().array();
  if (row == nullptr || row->size() != 4 || (*row)[3].integer() == nullptr) {
    return odd("XPENDING");
  }
  return *(*row)[3].integer();
}

Result<std::optional<StreamId>> parse_last_generated(const Reply& reply) {
  if (is_missing_key(reply)) {
    return std::optional<StreamId>{};
  }
  SENSUS_TRY_VOID(check_reply(reply));
  const std::optional<StreamId> last = parse_stream_id(text_field(reply, "last-generated-id"));
  if (!last) {
    return odd("XINFO STREAM");
  }
  return last;
}

std::int64_t parse_trimmed(const Reply& reply) {
  const std::int64_t length = integer_field(reply, "length").value_or(0);
  return std::max<std::int64_t>(integer_field(reply, "entries-added").value_or(length) - length, 0);
}

Result<std::vector<std::string>> parse_idle_consumers(const Reply& reply, std::int64_t idle_ms) {
  SENSUS_TRY_VOID(check_reply(reply));
  if (reply.array() == nullptr) {
    return odd("XINFO CONSUMERS");
  }
  std::vector<std::string> names;
  for (const Reply& one : *reply.array()) {
    const bool quiet = integer_field(one, "pending").value_or(1) == 0 &&
                       integer_field(one, "idle").value_or(0) >= idle_ms;
    if (quiet) {
      names.push_back(text_field(one, "name"));
    }
  }
  return names;
}

}  // namespace sensus::stream
