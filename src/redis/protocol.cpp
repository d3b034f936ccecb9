#include "protocol_internal.hpp"

#include "sensus/core/assert.hpp"

#include <hiredis/hiredis.h>

#include <exception>
#include <new>
#include <utility>
#include <vector>

namespace sensus::redis {

void append_command(std::string& out, const Command& args) {
  SENSUS_ASSERT(!args.empty());
  std::vector<const char*> parts;
  std::vector<std::size_t> lengths;
  parts.reserve(args.size());
  lengths.reserve(args.size());
  for (const std::string& arg : args) {
    parts.push_back(arg.data());
    lengths.push_back(arg.size());
  }
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(args.size()), parts.data(),
                                          lengths.data());
  if (size < 0) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<char, void (*)(char*)> owner(formatted, &redisFreeCommand);
  out.append(formatted, static_cast<std::size_t>(size));
}

std::string_view error_code_of(std::string_view error_text) {
  return error_text.substr(0, error_text.find_first_of(" \r\n"));
}

namespace {

/// What the callbacks of one reader share. They are called from C, so nothing may be thrown through
/// them: NULL makes hiredis report an error.
struct Builder {
  std::size_t elements = 0;
  std::size_t elements_max = 0;
};

void* place(const redisReadTask* task, Reply value) noexcept {
  auto* builder = static_cast<Builder*>(task->privdata);
  if (++builder->elements > builder->elements_max) {
    return nullptr;
  }
  try {
    if (task->parent == nullptr) {
      return new Reply(std::move(value));
    }
    // A child is addressed only until its next sibling starts, so growth of the parent never moves
    // one that is in use.
    auto& siblings = std::get<Reply::Array>(static_cast<Reply*>(task->parent->obj)->value);
    return &siblings.emplace_back(std::move(value));
  } catch (const std::exception&) {
    return nullptr;
  }
}

void* on_string(const redisReadTask* task, char* text, size_t size) {
  try {
    std::string copy(text, size);
    if (task->type == REDIS_REPLY_ERROR) {
      return place(task, Reply{Reply::ErrorText{std::move(copy)}});
    }
    return place(task, Reply{std::move(copy)});
  } catch (const std::exception&) {
    return nullptr;
  }
}
void* on_array(const redisReadTask* task, int) { return place(task, Reply{Reply::Array{}}); }
void* on_integer(const redisReadTask* task, long long number) {
  return place(task, Reply{static_cast<std::int64_t>(number)});
}
void* on_nil(const redisReadTask* task) { return place(task, Reply{Reply::Nil{}}); }
void on_free(void* reply) {
  delete static_cast<Reply*>(reply);
}  // NOLINT: hiredis owns only the root.

redisReplyObjectFunctions& callbacks() {
  static redisReplyObjectFunctions functions{&on_string, &on_array, &on_integer, &on_nil, &on_free};
  return functions;
}

}  // namespace

struct ReplyReader::Impl {
  explicit Impl(Limits l)
      : limits(l),
        builder{0, l.elements},
        reader(redisReaderCreateWithFunctions(&callbacks()), &redisReaderFree) {
    if (!reader) {
      throw std::bad_alloc();
    }
    reader->privdata = &builder;
  }
  Limits limits;
  Builder builder;
  std::size_t bytes = 0;  ///< Fed since the last whole reply.
  std::unique_ptr<redisReader, void (*)(redisReader*)> reader;
};

ReplyReader::ReplyReader() : ReplyReader(Limits{}) {}
ReplyReader::ReplyReader(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
ReplyReader::~ReplyReader() = default;

Result<> ReplyReader::feed(std::string_view bytes) {
  if (redisReaderFeed(impl_->reader.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    return make_error(Errc::corrupt, impl_->reader->errstr);
  }
  impl_->bytes += bytes.size();
  return {};
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* root = nullptr;
  const int status = redisReaderGetReply(impl_->reader.get(), &root);
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(root));
  if (status != REDIS_OK) {
    if (impl_->builder.elements > impl_->builder.elements_max) {
      return make_error(Errc::too_large, "the reply has more than " +
                                             std::to_string(impl_->limits.elements) + " elements");
    }
    return make_error(Errc::corrupt, impl_->reader->errstr);
  }
  if (!reply) {
    if (impl_->bytes > impl_->limits.bytes) {
      return make_error(Errc::too_large, "the reply is larger than " +
                                             std::to_string(impl_->limits.bytes) + " bytes");
    }
    return std::optional<Reply>{};
  }
  impl_->bytes = impl_->reader->len - impl_->reader->pos;
  impl_->builder.elements = 0;
  return std::optional<Reply>{std::move(*reply)};
}

}  // namespace sensus::redis
