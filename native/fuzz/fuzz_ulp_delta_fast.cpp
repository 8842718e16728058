// Fuzz target: decode_ulp_delta_fast. Its input: ulp_chunks.hpp.
#include "ulp_chunks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tensorhub::fuzz_ulp_delta(data, size, tensorhub::encode_ulp_delta_fast, tensorhub::decode_ulp_delta_fast);
  return 0;
}
