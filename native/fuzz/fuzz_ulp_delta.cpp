// Fuzz target: decode_ulp_delta. Its input: ulp_chunks.hpp.
#include "ulp_chunks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tensorhub::fuzz_ulp_delta(data, size, tensorhub::encode_ulp_delta, tensorhub::decode_ulp_delta);
  return 0;
}
