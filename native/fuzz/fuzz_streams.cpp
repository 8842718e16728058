// Fuzz target: the decoders of streams. First bytes: mode and coder, number of contexts, bytes asked for at a time,
// decoded length, shape and seed of data, paths.
#include "../tests/stream_coders.hpp"
#include "hostile_chunks.hpp"

namespace tensorhub {
namespace {

// Contexts in runs, as values in order make them, all of them below `ncontexts`.
std::span<const std::uint8_t> fixed_contexts(std::size_t ncontexts, std::size_t count) {
  static std::unordered_map<std::size_t, Buffer> kept;
  if (ncontexts == 1) return {};
  Buffer& contexts = kept[ncontexts];
  if (contexts.empty()) {
    contexts.resize(kMaxNbytes);
    for (std::size_t i = 0; i < kMaxNbytes; ++i) contexts[i] = static_cast<std::uint8_t>(i / 8 * 7 % ncontexts);
  }
  return std::span(contexts).first(count);
}

}  // namespace
}  // namespace tensorhub

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorhub;
  Choices choices(data, size);
  const unsigned mode = choices.byte(), contexts_choice = choices.byte();
  const auto coder = static_cast<Coder>(mode / 4 % 4);
  const std::size_t ncontexts =
      coder == Coder::kWideRans && contexts_choice % 2 ? contexts_choice / 2 % kWideRansMaxContexts + 1 : 1;
  const std::size_t piece = 128 * (std::size_t{1} << choices.byte() % 12), nbytes = choose_nbytes(choices);
  const unsigned shape = choices.byte() % 16;
  fuzz_chunk(
      choices, static_cast<Mode>(mode % 4), (nbytes << 8 | ncontexts) << 16 | mode / 4 % 4 << 8 | shape, nbytes,
      fixed_contexts(ncontexts, nbytes),
      [&] { return make_data(static_cast<Shape>(shape % 8), nbytes, 1 + shape / 8 % 2, shape); },
      [&](const Buffer& target) { return stream_bound_of(coder, target, ncontexts); },
      [&](auto target, auto contexts, auto out) { return encode_stream_of(coder, target, contexts, ncontexts, out); },
      [&](auto coded, auto contexts, auto out) { decode_stream_of(coder, coded, contexts, ncontexts, piece, out); });
  return 0;
}
