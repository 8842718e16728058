// Runs a fuzz target without a fuzzing engine: random inputs, and mutations of them, from a fixed seed.
//
// For compilers without libFuzzer, and for a quick check in CI. First argument: number of inputs (default 20000).
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  const long count = argc > 1 ? std::atol(argv[1]) : 20000;
  std::mt19937 generator(20240229);
  std::vector<std::uint8_t> input;
  for (long i = 0; i < count; ++i) {
    if (i % 8 == 0) {
      // The capacity is exact, so that the sanitizer sees every byte read past the end.
      input = std::vector<std::uint8_t>(generator() % (i % 64 == 0 ? 20000 : 300));
      const auto zeros = static_cast<unsigned>(generator() % 11);
      for (auto& byte : input) byte = generator() % 10 < zeros ? 0 : static_cast<std::uint8_t>(generator());
    } else if (!input.empty()) {
      input[generator() % input.size()] ^= static_cast<std::uint8_t>(1U << generator() % 8);
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  return 0;
}
