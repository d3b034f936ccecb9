#include "pg/wire_internal.hpp"

#include "pg/rows_internal.hpp"
#include "pg/sqlstate_internal.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace sensus::pg {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;

class PqRows final : public Rows::Impl {
 public:
  explicit PqRows(PGresult* result) : result_(result, &PQclear) {}
  [[nodiscard]] std::size_t size() const override {
    return static_cast<std::size_t>(PQntuples(result_.get()));
  }
  [[nodiscard]] std::size_t affected() const override {
    return static_cast<std::size_t>(std::atoll(PQcmdTuples(result_.get())));
  }
  [[nodiscard]] std::optional<std::string_view> cell(std::size_t row,
                                                     std::size_t column) const override {
    const int r = static_cast<int>(row);
    const int c = static_cast<int>(column);
    if (PQgetisnull(result_.get(), r, c) != 0) {
      return std::nullopt;
    }
    return std::string_view(PQgetvalue(result_.get(), r, c),
                            static_cast<std::size_t>(PQgetlength(result_.get(), r, c)));
  }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

int poll_timeout_ms(Deadline deadline) {
  if (deadline.at() == Deadline::TimePoint::max()) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
  return static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max()));
}

bool succeeded(ExecStatusType status) {
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

}  // namespace

void Wire::FreeConnection::operator()(pg_conn* p) const { PQfinish(p); }
void Wire::FreeResult::operator()(pg_result* p) const { PQclear(p); }

Wire::Wire(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK || PQsetnonblocking(connection_.get(), 1) != 0) {
    const std::string message = PQerrorMessage(connection_.get());
    throw SqlFailure(std::string(sqlstate_of_refusal(message)), first_line(message), true);
  }
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event_ < 0) {
    throw SqlFailure("08001", "no file descriptor is left for the connection", true);
  }
}

Wire::~Wire() {
  if (stop_event_ >= 0) {
    ::close(stop_event_);
  }
}

void Wire::stop() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_, &one, sizeof one);
}

void Wire::clear_stop() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(stop_event_, &count, sizeof count);
}

void Wire::fail_connection() {
  const bool lost = PQstatus(connection_.get()) != CONNECTION_OK;
  throw SqlFailure(lost ? "" : "08P01", first_line(PQerrorMessage(connection_.get())), lost);
}

void Wire::fail_result(const pg_result* result) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  // Collected before the rest is drained, which may show the connection as lost.
  const std::string state = sqlstate != nullptr ? sqlstate : "";
  const std::string text = first_line(message != nullptr ? message : PQresultErrorMessage(result));
  while (next_result()) {
  }
  throw SqlFailure(state, text, PQstatus(connection_.get()) != CONNECTION_OK);
}

void Wire::wait(short events) {
  for (;;) {
    pollfd fds[] = {{PQsocket(connection_.get()), events, 0}, {stop_event_, POLLIN, 0}};
    const int ready = ::poll(fds, 2, poll_timeout_ms(deadline_));
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (ready == 0 || fds[1].revents != 0) {
      throw SqlFailure("57014", "the deadline passed while waiting for the server", true);
    }
    return;
  }
}

void Wire::flush() {
  for (int left = PQflush(connection_.get()); left != 0; left = PQflush(connection_.get())) {
    if (left < 0) {
      fail_connection();
    }
    // The server may be saying something (an error in the middle of a COPY) before it reads on.
    wait(POLLIN | POLLOUT);
    if (PQconsumeInput(connection_.get()) == 0) {
      fail_connection();
    }
  }
}

Wire::ResultPtr Wire::next_result() {
  while (PQisBusy(connection_.get()) != 0) {
    wait(POLLIN);
    if (PQconsumeInput(connection_.get()) == 0) {
      fail_connection();
    }
  }
  return ResultPtr(PQgetResult(connection_.get()));
}

void Wire::send_copy(const std::string& data) {
  for (std::size_t at = 0; at < data.size(); at += kChunk) {
    const auto size = static_cast<int>(std::min(kChunk, data.size() - at));
    while (true) {
      const int sent = PQputCopyData(connection_.get(), data.data() + at, size);
      if (sent < 0) {
        fail_connection();
      }
      flush();
      if (sent > 0) {
        break;
      }
    }
  }
}

void Wire::end_copy() {
  static constexpr char kTrailer[2] = {'\377', '\377'};
  if (PQputCopyData(connection_.get(), kTrailer, 2) < 0 ||
      PQputCopyEnd(connection_.get(), nullptr) < 0) {
    fail_connection();
  }
  flush();
}

void Wire::run(const std::string& sql, const std::vector<const std::string*>& copies,
               bool* all_sent) {
  *all_sent = copies.empty();
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) {
    fail_connection();
  }
  flush();
  std::size_t next = 0;
  while (ResultPtr result = next_result()) {
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_COPY_IN && next < copies.size()) {
      send_copy(*copies[next++]);
      *all_sent = next == copies.size();
      end_copy();
    } else if (!succeeded(status)) {
      fail_result(result.get());
    }
  }
}

Rows Wire::query(std::string_view sql, const Params& params) {
  std::vector<const char*> values;
  values.reserve(params.values().size());
  for (const auto& value : params.values()) {
    values.push_back(value ? value->c_str() : nullptr);
  }
  const std::string text(sql);
  if (PQsendQueryParams(connection_.get(), text.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    fail_connection();
  }
  flush();
  ResultPtr result = next_result();
  if (!result) {
    fail_connection();
  }
  if (!succeeded(PQresultStatus(result.get()))) {
    fail_result(result.get());
  }
  while (next_result()) {
  }
  return Rows(std::make_shared<PqRows>(result.release()));
}

bool Wire::rollback() noexcept {
  try {
    bool ignored = false;
    run("rollback", {}, &ignored);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace sensus::pg
