// The fields of an encoded protocol-buffers message, one after another, without its schema.
// https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clrfast::events {

enum class Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  std::uint64_t number;
  Wire wire;
  std::uint64_t bits;      // kVarint, kFixed64, kFixed32
  std::string_view bytes;  // kBytes: a view into the message

  bool is(std::uint64_t field_number, Wire wire_type) const noexcept {
    return number == field_number && wire == wire_type;
  }
};

class Message {
 public:
  explicit Message(std::string_view bytes) noexcept
      : at_(reinterpret_cast<const unsigned char*>(bytes.data())), end_(at_ + bytes.size()) {}

  // False at the end, and from the first byte on that no message can have.
  bool next(Field& field) noexcept;

  // Whether all that was read so far was well formed.
  bool ok() const noexcept { return ok_; }

 private:
  bool varint(std::uint64_t& value) noexcept;
  bool fail() noexcept { return ok_ = false; }
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  const unsigned char* at_;
  const unsigned char* end_;
  bool ok_ = true;
};

}  // namespace clrfast::events
