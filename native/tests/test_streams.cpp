// Sanitizer test of the coders of streams: cascade, small rANS, wide rANS and trimmed blocks, on every path.
#include "every_path.hpp"
#include "stream_coders.hpp"

namespace tensorhub {
namespace {

constexpr std::size_t kPieces[] = {std::size_t{1} << 18, 4096, 128};

/// One context a byte, in runs; none where there is one context.
Buffer make_contexts(std::size_t count, std::size_t ncontexts, std::uint64_t seed) {
  Random random(seed);
  Buffer contexts(ncontexts > 1 ? count : 0);
  for (std::size_t i = 0; i < contexts.size(); ++i)
    contexts[i] = i % 16 ? contexts[i - 1] : static_cast<std::uint8_t>(random.below(ncontexts));
  return contexts;
}

Buffer check_stream(Coder coder, const Buffer& bytes, const Buffer& contexts, std::size_t ncontexts,
                    std::size_t piece) {
  return check_round_trip(
      bytes, contexts, stream_bound_of(coder, bytes, ncontexts),
      [&](auto data, auto used, auto out) { return encode_stream_of(coder, data, used, ncontexts, out); },
      [&](auto coded, auto used, auto out) { decode_stream_of(coder, coded, used, ncontexts, piece, out); });
}

void test_sizes(Coder coder) {
  std::uint64_t seed = 0;
  for (const std::size_t count : kSizes) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(Shape::kCount); ++k, ++seed) {
      // Elements of two bytes look like what joint and ulp_delta code; those of one like planes.
      const Buffer bytes = make_data(static_cast<Shape>(k), count, count > 1 ? seed / 8 % 2 + 1 : 1, seed);
      const std::size_t ncontexts = coder != Coder::kWideRans || seed % 3 == 0 ? 1 : 1 + seed % kWideRansMaxContexts;
      const std::size_t piece = count > 4097 && seed % 4 ? 4096 : kPieces[seed % 3];
      current_case() = std::string(kCoderNames[static_cast<std::size_t>(coder)]) + ", " + std::to_string(count) +
                       " bytes, shape " + std::to_string(k) + ", " + std::to_string(ncontexts) + " contexts";
      check_stream(coder, bytes, make_contexts(count, ncontexts, seed), ncontexts, piece);
    }
  }
}

void test_damage(Coder coder) {
  for (std::size_t k = 0; k < static_cast<std::size_t>(Shape::kCount); ++k) {
    const std::size_t count = k % 2 ? 1300 : 700, ncontexts = coder == Coder::kWideRans ? k / 2 + 1 : 1;
    const Buffer bytes = make_data(static_cast<Shape>(k), count, 1, k), contexts = make_contexts(count, ncontexts, k);
    const Buffer coded = check_stream(coder, bytes, contexts, ncontexts, 128);
    current_case() =
        std::string(kCoderNames[static_cast<std::size_t>(coder)]) + ", damaged, shape " + std::to_string(k);
    check_damage(coded, contexts, count, k,
                 [&](auto data, auto used, auto out) { decode_stream_of(coder, data, used, ncontexts, 128, out); });
  }
}

}  // namespace
}  // namespace tensorhub

int main() {
  for (std::size_t coder = 0; coder < tensorhub::kCoderNames.size(); ++coder) {
    tensorhub::test_sizes(static_cast<tensorhub::Coder>(coder));
    tensorhub::test_damage(static_cast<tensorhub::Coder>(coder));
  }
  return tensorhub::report("streams");
}
