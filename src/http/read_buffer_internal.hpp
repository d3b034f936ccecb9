#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace sensus::http {

/// The bytes a connection has sent and nobody consumed yet. Small while a connection idles, up to `max` while a body streams in.
/// A mark keeps consumed bytes in place (a head is looked at again once it is complete).
class ReadBuffer {
 public:
  ReadBuffer(std::size_t initial, std::size_t max) : initial_(initial), max_(max) {}

  [[nodiscard]] std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] bool allocated() const { return data_ != nullptr; }
  void consume(std::size_t bytes) { begin_ += bytes; }
  void commit(std::size_t bytes) {
    end_ += bytes;
    filled_ = end_ == capacity_;
  }

  /// Bytes consumed since here stay readable through `since_mark`.
  void mark() { mark_ = begin_; }
  [[nodiscard]] std::string_view since_mark() const { return {data_.get() + mark_, begin_ - mark_}; }

  /// Room for the next read; the size is 0 when the buffer is full at its maximum. `keep_mark` is false once the head is done.
  [[nodiscard]] std::pair<char*, std::size_t> prepare(bool keep_mark);
  /// Frees what is larger than the initial size; only when empty.
  void shrink();

 private:
  void grow(std::size_t capacity);

  std::size_t initial_;
  std::size_t max_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t mark_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool filled_ = false;  ///< The last read took all the room there was.
};

}  // namespace sensus::http
