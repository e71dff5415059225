// CRC-32C (Castagnoli, RFC 3720 appendix B.4), which TensorFlow's record files protect their bytes
// with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clrfast::events {

std::uint32_t crc32c(const unsigned char* data, std::size_t size) noexcept;

// As the files store it: rotated and shifted, so that bytes which hold their own CRC get another.
inline std::uint32_t masked_crc32c(const unsigned char* data, std::size_t size) noexcept {
  const std::uint32_t crc = crc32c(data, size);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace clrfast::events
