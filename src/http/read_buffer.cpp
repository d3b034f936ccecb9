#include "read_buffer_internal.hpp"

#include <algorithm>
#include <cstring>

namespace sensus::http {

std::pair<char*, std::size_t> ReadBuffer::prepare(bool keep_mark) {
  if (!keep_mark) {
    mark_ = begin_;
  }
  if (mark_ == end_) {
    mark_ = begin_ = end_ = 0;
  }
  if (capacity_ == 0) {
    grow(initial_);
  }
  if (end_ == capacity_ && mark_ > 0) {
    std::memmove(data_.get(), data_.get() + mark_, end_ - mark_);
    begin_ -= mark_;
    end_ -= mark_;
    mark_ = 0;
  }
  // A read that filled the buffer announces more: doubled, a large body needs few system calls.
  if ((filled_ || end_ == capacity_) && capacity_ < max_) {
    grow(std::min(capacity_ * 2, max_));
  }
  filled_ = false;
  return {data_.get() + end_, capacity_ - end_};
}

void ReadBuffer::grow(std::size_t capacity) {
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  if (end_ > 0) {
    std::memcpy(larger.get(), data_.get(), end_);
  }
  data_ = std::move(larger);
  capacity_ = capacity;
}

void ReadBuffer::shrink() {
  if (empty() && capacity_ > initial_) {
    data_.reset();
    capacity_ = 0;
    mark_ = begin_ = end_ = 0;
  }
}

}  // namespace sensus::http
