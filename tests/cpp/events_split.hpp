// What must hold for the event reader on any bytes, used by the fuzzer and by the unit tests.
#pragma once

#include <string>
#include <string_view>

#include "check.hpp"
#include "events/crc32c.hpp"
#include "events/reader.hpp"

namespace clrfast::events {

inline std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> 8 * i & 0xff));
  return text;
}

// The data as a sound record, so that what lies behind the checksums is reached.
inline std::string framed(std::string_view data) {
  const auto crc = [](std::string_view bytes) {
    return little_endian(
        masked_crc32c(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()), 4);
  };
  const std::string length = little_endian(data.size(), 8);
  return length + crc(length) + std::string(data) + crc(data);
}

// Bit by bit, for NaN equals itself here.
inline std::string bytes_of(const Scalars& found) {
  const auto raw = [](const auto& values) {
    return std::string(reinterpret_cast<const char*>(values.data()),
                       values.size() * sizeof values[0]);
  };
  return raw(found.tag) + "|" + raw(found.step) + "|" + raw(found.value);
}

// However the bytes are cut, the same scalars and the same damage are found, and every byte is
// accounted for no more than once.
inline void check_splits(std::string_view bytes, std::size_t piece) {
  Reader learner;
  learner.feed(bytes);
  learner.finish();
  const std::vector<std::string> tags(learner.tags().begin(), learner.tags().end());
  if (tags.empty()) CHECK(learner.take().tag.empty());

  Reader whole(tags), parts(tags);
  whole.feed(bytes);
  whole.finish();
  Scalars joined;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    parts.feed(bytes.substr(at, piece));
    const Scalars some = parts.take();
    joined.tag.insert(joined.tag.end(), some.tag.begin(), some.tag.end());
    joined.step.insert(joined.step.end(), some.step.begin(), some.step.end());
    joined.value.insert(joined.value.end(), some.value.begin(), some.value.end());
  }
  parts.finish();
  CHECK(bytes_of(whole.take()) == bytes_of(joined));
  const Damage &one = whole.damage(), &other = parts.damage();
  CHECK(whole.records() == parts.records() && one.records == other.records);
  CHECK(one.skipped == other.skipped && one.cut_short == other.cut_short);
  CHECK(one.too_long == other.too_long);
  CHECK(one.first_position == other.first_position);
  CHECK(16 * (whole.records() + one.records) + one.skipped + one.cut_short <= bytes.size());
}

}  // namespace clrfast::events
