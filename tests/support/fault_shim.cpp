// Faults of the machine for end-to-end tests, loaded into a program by LD_PRELOAD: a wall clock
// that is wrong, a disk that is full, a name server that does not answer. SENSUS_FAULTS names a file
// of three 64-bit integers, which the test writes at any time: nanoseconds that the wall clock is
// ahead, whether the disk is full (not 0), whether names are not resolved (not 0). A full disk
// refuses what makes a file longer, as a real one does; a silent name server holds its caller for two
// attempts of five seconds. Children inherit the faults.
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

struct Faults {
  volatile std::int64_t clock_ahead_ns;
  volatile std::int64_t disk_full;
  volatile std::int64_t names_hang;
};

const Faults* open_faults() {
  static const Faults none{0, 0, 0};
  const char* path = std::getenv("SENSUS_FAULTS");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return &none;
  }
  void* mapped = ::mmap(nullptr, sizeof(Faults), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return mapped == MAP_FAILED ? &none : static_cast<const Faults*>(mapped);
}

const Faults& faults() {
  static const Faults* const opened = open_faults();
  return *opened;
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool finds_no_space(int fd, off_t end) {
  struct stat now {};
  return faults().disk_full != 0 && ::fstat(fd, &now) == 0 && S_ISREG(now.st_mode) &&
         end > now.st_size;
}

ssize_t no_space() {
  errno = ENOSPC;
  return -1;
}

off_t length_of(const iovec* parts, int count) {
  off_t length = 0;
  for (int i = 0; i < count; ++i) {
    length += static_cast<off_t>(parts[i].iov_len);
  }
  return length;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) {
  static const auto next = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, out);
  if (result == 0 && clock == CLOCK_REALTIME) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t ns = out->tv_sec * kSecond + out->tv_nsec + faults().clock_ahead_ns;
    out->tv_sec = ns / kSecond;
    out->tv_nsec = ns % kSecond;
  }
  return result;
}

int gettimeofday(timeval* __restrict out, void* __restrict) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *out = timeval{now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return finds_no_space(fd, at + static_cast<off_t>(size)) ? no_space() : next(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t at) {
  return pwrite(fd, bytes, size, at);
}

ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev");
  return finds_no_space(fd, at + length_of(parts, count)) ? no_space() : next(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const iovec* parts, int count, off_t at) {
  return pwritev(fd, parts, count, at);
}

int posix_fallocate(int fd, off_t at, off_t size) {
  static const auto next = real<int (*)(int, off_t, off_t)>("posix_fallocate");
  return finds_no_space(fd, at + size) ? ENOSPC : next(fd, at, size);
}

int posix_fallocate64(int fd, off_t at, off_t size) { return posix_fallocate(fd, at, size); }

int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** out) {
  static const auto next =
      real<int (*)(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
  const bool numeric = hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0;
  const bool asks = node != nullptr && std::strpbrk(node, "ghijklmnopqrstuvwxyz") != nullptr && node[0] != '/' && !numeric;
  for (int waited_ms = 0; asks && faults().names_hang != 0; waited_ms += 20) {
    if (waited_ms >= 10'000) {
      return EAI_AGAIN;
    }
    ::usleep(20'000);
  }
  return next(node, service, hints, out);
}
}
