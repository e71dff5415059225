// libFuzzer: any bytes as an event file, and any bytes as records with sound checksums. See
// .ci/fuzz.
#include <cstdint>

#include "events_split.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = 1u + data[0] % 64u;
  const bool sound = data[1] % 2 == 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (!sound) {
    clrfast::events::check_splits(bytes, piece);
    return 0;
  }
  std::string file;  // two records, so that one follows another
  file += clrfast::events::framed(bytes.substr(0, bytes.size() / 2));
  file += clrfast::events::framed(bytes);
  clrfast::events::check_splits(file, piece);
  return 0;
}
