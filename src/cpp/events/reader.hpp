// Scalars from the bytes of TensorBoard event files, whole or in pieces, sound or damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace clrfast::events {

// One entry for each scalar, in the file's order.
struct Scalars {
  std::vector<std::uint32_t> tag;  // its number among the reader's tags
  std::vector<std::int64_t> step;
  std::vector<double> value;
};

// What could not be read.
struct Damage {
  std::uint64_t records = 0;         // whole, but failing their checksum or malformed
  std::uint64_t skipped = 0;         // bytes passed over in search of the next sound record
  std::uint64_t cut_short = 0;       // bytes of a last record that is not whole
  std::uint64_t too_long = 0;        // sound records whose scalars, if any, are not looked for
  std::uint64_t first_position = 0;  // where in the file the first of these begins
};

// A record longer than this is not kept until it is whole: a scalar takes a hundred bytes, so that
// it holds a graph or pictures, or else its length is forged. Its checksum is verified as it
// passes.
constexpr std::uint64_t kLongestKept = 1 << 24;

// A file is a row of records: u64 length, its masked CRC, the data, their masked CRC. Each holds an
// Event (tensorboard/compat/proto/event.proto). All checksums are verified.
class Reader {
 public:
  // Gives the scalars with these tags, numbered as listed. Without any, it only learns the tags.
  explicit Reader(const std::vector<std::string>& tags = {});
  Reader(const Reader&) = delete;  // ids_ points into tags_
  Reader& operator=(const Reader&) = delete;

  // Takes the next bytes of the file; where one call ends and the next begins does not matter.
  void feed(std::string_view bytes);

  // Says that the file ends here. The bytes fed next are those of another file.
  void finish();

  // Gives what was found since the last call.
  Scalars take();

  const std::deque<std::string>& tags() const noexcept { return tags_; }
  std::uint64_t records() const noexcept {
    return records_;
  }  // sound ones, with or without scalars
  const Damage& damage() const noexcept { return damage_; }

 private:
  std::size_t read(std::string_view bytes);
  bool pass(std::string_view bytes, std::size_t& at) noexcept;
  bool event(std::string_view bytes);
  bool summary(std::string_view bytes, std::int64_t step);
  void damaged_at(std::uint64_t position) noexcept;

  bool learning_;
  std::deque<std::string> tags_;
  std::unordered_map<std::string_view, std::uint32_t> ids_;
  std::string rest_;      // of a record that is not whole yet
  bool passing_ = false;  // a record that is not kept: where it begins, what is to come of
  std::uint64_t passing_from_ = 0;  // its data, and the CRC of what has come
  std::uint64_t to_pass_ = 0;
  std::uint32_t crc_ = 0;
  std::uint64_t position_ = 0;  // in the file, of the first byte not read yet
  std::uint64_t records_ = 0;
  Scalars found_;
  Damage damage_;
};

}  // namespace clrfast::events
