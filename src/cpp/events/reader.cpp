#include "events/reader.hpp"

#include <algorithm>
#include <utility>

#include "events/crc32c.hpp"
#include "events/load.hpp"
#include "events/message.hpp"
#include "events/scalar.hpp"

namespace clrfast::events {
namespace {

constexpr std::size_t kHeader = 12, kFooter = 4;
constexpr std::uint64_t kLongest = 0x7fffffff;  // no message may be longer
constexpr unsigned kEventStep = 2, kEventSummary = 5, kSummaryValue = 1;

const unsigned char* data(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Reader::Reader(const std::vector<std::string>& tags) : learning_(tags.empty()) {
  for (const std::string& tag : tags) {
    tags_.push_back(tag);
    ids_.emplace(tags_.back(), static_cast<std::uint32_t>(tags_.size() - 1));
  }
}

void Reader::feed(std::string_view bytes) {
  if (rest_.empty()) {
    const std::size_t used = read(bytes);
    rest_.assign(bytes.substr(used));
  } else {
    rest_.append(bytes);
    rest_.erase(0, read(rest_));
  }
}

void Reader::finish() {
  const std::uint64_t start = passing_ ? passing_from_ : position_;
  const std::uint64_t size = position_ + rest_.size() - start;
  if (passing_ || size > 0) {
    damaged_at(start);
    damage_.cut_short += size;
  }
  rest_.clear();
  passing_ = false;
  position_ = 0;
}

Scalars Reader::take() { return std::exchange(found_, {}); }

void Reader::damaged_at(std::uint64_t position) noexcept {
  if (damage_.records + damage_.skipped + damage_.cut_short + damage_.too_long == 0)
    damage_.first_position = position;
}

// Reads all whole records and returns how many bytes they took.
std::size_t Reader::read(std::string_view bytes) {
  std::size_t at = 0;
  for (;;) {
    if (passing_ && !pass(bytes, at)) break;
    if (bytes.size() - at < kHeader) break;
    const unsigned char* header = data(bytes) + at;
    const std::uint64_t length = load64(header);
    if (length > kLongest || masked_crc32c(header, 8) != load32(header + 8)) {
      damaged_at(position_ + at);  // the next record may begin at any byte: its checksum will tell
      ++damage_.skipped;
      ++at;
      continue;
    }
    if (length > kLongestKept) {
      passing_ = true;
      passing_from_ = position_ + at;
      to_pass_ = length;
      crc_ = 0;
      at += kHeader;
      continue;
    }
    if (bytes.size() - at - kHeader < length + kFooter) break;
    const std::string_view record = bytes.substr(at + kHeader, static_cast<std::size_t>(length));
    const bool sound = masked_crc32c(data(record), record.size()) == load32(data(record) + length);
    if (sound && event(record)) {
      ++records_;
    } else {
      damaged_at(position_ + at);
      ++damage_.records;
    }
    at += kHeader + static_cast<std::size_t>(length) + kFooter;
  }
  position_ += at;
  return at;
}

// Takes the bytes at `at` of the record that is not kept, and says whether it ended with them.
bool Reader::pass(std::string_view bytes, std::size_t& at) noexcept {
  const std::uint64_t size = std::min<std::uint64_t>(to_pass_, bytes.size() - at);
  crc_ = crc32c(data(bytes) + at, static_cast<std::size_t>(size), crc_);
  to_pass_ -= size;
  at += static_cast<std::size_t>(size);
  if (to_pass_ > 0 || bytes.size() - at < kFooter) return false;
  const bool sound = masked(crc_) == load32(data(bytes) + at);
  damaged_at(passing_from_);
  ++(sound ? damage_.too_long : damage_.records);
  if (sound) ++records_;
  at += kFooter;
  passing_ = false;
  return true;
}

bool Reader::event(std::string_view bytes) {
  std::int64_t step = 0;
  Message message(bytes);
  for (Field field; message.next(field);)
    if (field.is(kEventStep, Wire::kVarint)) step = static_cast<std::int64_t>(field.bits);
  if (!message.ok()) return false;

  bool ok = true;  // the step is known only now: fields may come in any order
  Message again(bytes);
  for (Field field; again.next(field);)
    if (field.is(kEventSummary, Wire::kBytes)) ok = summary(field.bytes, step) && ok;
  return ok;
}

bool Reader::summary(std::string_view bytes, std::int64_t step) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (!field.is(kSummaryValue, Wire::kBytes)) continue;
    Value value;
    if (!read_value(field.bytes, value)) return false;
    if (!value.number) continue;
    const auto known = ids_.find(value.tag);
    if (learning_ && known == ids_.end()) {
      tags_.emplace_back(value.tag);
      ids_.emplace(tags_.back(), static_cast<std::uint32_t>(tags_.size() - 1));
    }
    if (learning_ || known == ids_.end()) continue;
    found_.tag.push_back(known->second);
    found_.step.push_back(step);
    found_.value.push_back(*value.number);
  }
  return message.ok();
}

}  // namespace clrfast::events
