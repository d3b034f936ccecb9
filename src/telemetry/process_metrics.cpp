#include "sensus/telemetry/process_metrics.hpp"

#include <chrono>
#include <dirent.h>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace sensus::telemetry {
namespace {

double page_bytes() { return static_cast<double>(::sysconf(_SC_PAGESIZE)); }

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// -1 when /proc cannot be listed (no descriptors left, say).
double count_entries(const char* folder) {
  DIR* directory = ::opendir(folder);
  if (directory == nullptr) {
    return -1;
  }
  int entries = 0;
  while (const dirent* entry = ::readdir(directory)) {
    entries += entry->d_name[0] != '.' ? 1 : 0;
  }
  ::closedir(directory);
  return entries;
}

double descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

/// Seconds between the system's start and this process's, from field 22 of /proc/self/stat; the name in field 2 may hold spaces.
double start_after_boot_seconds() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return 0;
  }
  std::size_t at = name_end + 2;
  for (int field = 3; field < 22 && at != std::string::npos; ++field) {
    at = text.find(' ', at);
    at = at == std::string::npos ? at : at + 1;
  }
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at, nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double start_time_seconds() {
  std::ifstream file("/proc/uptime");
  double uptime = 0;
  file >> uptime;
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return now - uptime + start_after_boot_seconds();
}

struct ProcessMetrics {
  Gauge resident;
  Gauge virtual_size;
  Gauge open_fds;
  Gauge threads;
  Counter cpu;

  void refresh() const {
    std::ifstream statm("/proc/self/statm");
    double total_pages = 0;
    double resident_pages = 0;
    if (statm >> total_pages >> resident_pages) {
      virtual_size.set(total_pages * page_bytes());
      resident.set(resident_pages * page_bytes());
    }
    if (const double count = count_entries("/proc/self/fd"); count > 0) {
      open_fds.set(count - 1);  // Without the one that lists the folder.
    }
    threads.set(count_entries("/proc/self/task"));
    cpu.inc(cpu_seconds() - cpu.value());
  }
};

}  // namespace

void register_process_metrics(Metrics& metrics, std::string_view version) {
  const ProcessMetrics process{
      metrics.gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
      metrics.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
      metrics.gauge("process_open_fds", "Number of open file descriptors."),
      metrics.gauge("process_threads", "Number of threads."),
      metrics.counter("process_cpu_seconds_total", "User and system CPU time spent in seconds."),
  };
  metrics.gauge("process_max_fds", "Maximum number of open file descriptors.").set(descriptor_limit());
  metrics.gauge("process_start_time_seconds", "Start time of the process since the Unix epoch in seconds.")
      .set(start_time_seconds());
  metrics.gauge("sensus_build_info", "Always 1; the labels tell what runs.", {{"version", version}, {"compiler", "gcc " __VERSION__}})
      .set(1);
  metrics.on_render([process] { process.refresh(); });
}

void register_log_metrics(Metrics& metrics, const LogSystem& logs) {
  const Counter dropped = metrics.counter("sensus_log_lines_dropped_total",
                                          "Log lines lost because stderr's reader was too slow or gone.");
  metrics.on_render([dropped, &logs] { dropped.inc(static_cast<double>(logs.dropped_lines()) - dropped.value()); });
}

}  // namespace sensus::telemetry
