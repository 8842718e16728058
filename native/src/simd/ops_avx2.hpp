// Replaced soon by vector code; until then the plain operations.
#include "simd/ops_portable.hpp"
