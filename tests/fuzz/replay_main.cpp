#include "fuzz.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace {

constexpr int kChangedCopies = 2000;
constexpr std::size_t kTruncationsMax = 4096;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

/// Damaged copies: seeded, so that a failure repeats.
std::size_t run_damaged(const std::string& input, std::minstd_rand& random) {
  std::size_t runs = 0;
  for (std::size_t size = 0; size < input.size() && size < kTruncationsMax; ++size, ++runs) {
    run(input.substr(0, size));
  }
  constexpr std::string_view kSpice = "{}[]\",:\\u0d8e+-.ntf\x01\x7F\x80\xFF";
  for (int copy = 0; copy < kChangedCopies && !input.empty(); ++copy, ++runs) {
    std::string changed = input;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % changed.size();
      const char c = random() % 2 == 0 ? kSpice[random() % kSpice.size()] : static_cast<char>(random());
      switch (random() % 3) {
        case 0: changed[at] = c; break;
        case 1: changed.insert(at, 1, c); break;
        default: changed.insert(at, changed.substr(random() % changed.size(), random() % 32));
      }
    }
    run(changed);
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  std::size_t runs = 0;
  std::minstd_rand random(20260601);
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string input{std::istreambuf_iterator<char>(in), {}};
      run(input);
      runs += 1 + run_damaged(input, random);
      ++files;
    }
  }
  std::printf("%zu files, %zu inputs\n", files, runs);
  return files > 0 ? 0 : 1;
}
