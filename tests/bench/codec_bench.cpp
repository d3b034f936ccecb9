// What reading a body of 500 samples costs on one core: figures for docs/performance.md.
#include "unit/codec/remote_write_writer.hpp"

#include "sensus/codec/exposition_text.hpp"
#include "sensus/codec/remote_write.hpp"
#include "sensus/codec/snappy_block.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>

namespace {

using namespace sensus;
using namespace codec::test;

constexpr std::size_t kSamples = 500;
constexpr std::int64_t kMs = 1'780'315'200'000;
const Timestamp kNow = from_unix_us(kMs * 1000);

/// What a node exporter's series look like: seven labels, about 150 bytes.
Pairs labels_of(std::size_t series) {
  return {{"__name__", "node_cpu_seconds_total"},
          {"cluster", "production-eu-1"},
          {"cpu", std::to_string(series % 64)},
          {"env", "production"},
          {"instance", "10.20." + std::to_string(series / 64) + ".7:9100"},
          {"job", "node-exporter"},
          {"mode", "iowait"}};
}

std::string body_v1() {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < kSamples; ++i) {
    all.push_back(series_v1(labels_of(i), {sample(static_cast<double>(i) * 1.25, kMs)}));
  }
  return request_v1(all);
}

std::string body_v2() {
  std::vector<std::string> symbols{""};
  const auto ref = [&symbols](const std::string& text) {
    const auto at = std::find(symbols.begin(), symbols.end(), text);
    const auto index = static_cast<std::uint64_t>(at - symbols.begin());
    if (at == symbols.end()) {
      symbols.push_back(text);
    }
    return index;
  };
  std::vector<std::string> all;
  for (std::size_t i = 0; i < kSamples; ++i) {
    std::vector<std::uint64_t> refs;
    for (const auto& [name, value] : labels_of(i)) {
      refs.push_back(ref(name));
      refs.push_back(ref(value));
    }
    all.push_back(series_v2(refs, {sample(static_cast<double>(i) * 1.25, kMs)}));
  }
  return request_v2(symbols, all);
}

void remote_write(benchmark::State& state, const std::string& body,
                  codec::RemoteWriteVersion version) {
  const model::InputLimits limits;
  for (auto _ : state) {
    const auto write = codec::parse_remote_write(body, version, kNow, limits, 32 << 20);
    if (!write || write->samples.size() != kSamples) {
      std::abort();
    }
    benchmark::DoNotOptimize(write->samples.rows().data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kSamples));
}

void remote_write_v1(benchmark::State& state) {
  remote_write(state, body_v1(), codec::RemoteWriteVersion::v1);
}
BENCHMARK(remote_write_v1);
void remote_write_v2(benchmark::State& state) {
  remote_write(state, body_v2(), codec::RemoteWriteVersion::v2);
}
BENCHMARK(remote_write_v2);

void exposition_text(benchmark::State& state) {
  std::string body;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const Pairs labels = labels_of(i);
    body += labels.front().second + '{';
    for (auto label = labels.begin() + 1; label != labels.end(); ++label) {
      body += label->first + "=\"" + label->second + "\",";
    }
    body += "} " + std::to_string(static_cast<double>(i) * 1.25) + '\n';
  }
  const model::InputLimits limits;
  for (auto _ : state) {
    const auto page = codec::parse_exposition(body, codec::ExpositionFormat::text, kNow, limits);
    if (!page || page->samples.size() != kSamples) {
      std::abort();
    }
    benchmark::DoNotOptimize(page->samples.rows().data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kSamples));
}
BENCHMARK(exposition_text);

}  // namespace

BENCHMARK_MAIN();
