#include "analysis/serialize.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "analysis/grid.hpp"
#include "analysis/kernels.hpp"

namespace clrfast::analysis {
namespace {

// The last byte is the version of what follows.
constexpr char kMagic[9] = "clrfast\x01";
constexpr std::size_t kWord = 8;
constexpr std::size_t kHeaderBytes = 5 * kWord;
constexpr std::size_t kCellBytes = 8 * kWord;
constexpr std::int64_t kMostRows = std::int64_t{1} << 53;  // exact as float64

void put(std::string& bytes, std::uint64_t word) {
  for (unsigned shift = 0; shift < 64; shift += 8)
    bytes.push_back(static_cast<char>(word >> shift & 0xff));
}

void put(std::string& bytes, std::int64_t value) { put(bytes, static_cast<std::uint64_t>(value)); }

void put(std::string& bytes, double value) {
  std::uint64_t word;
  std::memcpy(&word, &value, sizeof word);
  put(bytes, word);
}

class Reader {
 public:
  explicit Reader(const char* at) noexcept : at_(at) {}

  std::int64_t integer() noexcept {
    std::uint64_t word = 0;
    for (unsigned shift = 0; shift < 64; shift += 8)
      word |= std::uint64_t{static_cast<unsigned char>(*at_++)} << shift;
    std::int64_t value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }

  double number() noexcept {
    const std::int64_t word = integer();
    double value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }

 private:
  const char* at_;
};

void require(bool fact, const char* what) {
  if (!fact) throw std::invalid_argument(std::string("data is not a state of clrfast: ") + what);
}

Cell read_cell(Reader& reader) {
  const Cell empty;
  Cell cell;
  cell.count = reader.integer();
  cell.nonfinite = reader.integer();
  cell.x = reader.number();
  cell.loss = reader.number();
  cell.lowest = reader.number();
  cell.highest = reader.number();
  cell.first = reader.integer();
  cell.last = reader.integer();
  require(cell.count >= 0 && cell.count <= kMostRows && cell.nonfinite >= 0 &&
              cell.nonfinite <= kMostRows,
          "a number of rows is out of range");
  if (cell.count == 0) {
    require(cell.x == empty.x && cell.loss == empty.loss && cell.lowest == empty.lowest &&
                cell.highest == empty.highest,
            "a cell without rows has a loss");
  } else {
    require(std::fabs(cell.x) <= 0.5 * (1 + 1e-9) * kCellWidth, "a rate lies outside its cell");
    // A mean may round to just beyond the extremes.
    const double slack = 1e-9 * (std::fabs(cell.lowest) + std::fabs(cell.highest));
    require(cell.lowest >= -kLargestLoss && cell.highest <= kLargestLoss &&
                cell.loss >= cell.lowest - slack && cell.loss <= cell.highest + slack,
            "a loss is out of range");
  }
  if (cell.count + cell.nonfinite == 0) {
    require(cell.first == empty.first && cell.last == empty.last, "a cell without rows has steps");
  } else {
    require(cell.first <= cell.last && cell.first >= -kMostRows && cell.last <= kMostRows,
            "a step is out of range");
  }
  return cell;
}

}  // namespace

std::string to_bytes(const State& state) {
  std::string bytes(kMagic, kWord);
  bytes.reserve(kHeaderBytes + kCellBytes * state.cells().size());
  put(bytes, state.origin());
  put(bytes, static_cast<std::uint64_t>(state.cells().size()));
  put(bytes, state.lowest_lr());
  put(bytes, state.highest_lr());
  for (const Cell& cell : state.cells()) {
    put(bytes, cell.count);
    put(bytes, cell.nonfinite);
    put(bytes, cell.x);
    put(bytes, cell.loss);
    put(bytes, cell.lowest);
    put(bytes, cell.highest);
    put(bytes, cell.first);
    put(bytes, cell.last);
  }
  return bytes;
}

State from_bytes(const char* bytes, std::size_t size) {
  require(size >= kHeaderBytes && (size - kHeaderBytes) % kCellBytes == 0, "its length is wrong");
  require(std::memcmp(bytes, kMagic, kWord) == 0, "it begins with something else");
  Reader reader(bytes + kWord);
  const std::int64_t origin = reader.integer();
  const auto cells = static_cast<std::int64_t>((size - kHeaderBytes) / kCellBytes);
  require(reader.integer() == cells, "its length is wrong");
  const double lowest = reader.number();
  const double highest = reader.number();
  if (cells == 0) return State();
  require(origin >= kLowestCell && cells <= kHighestCell - origin + 1,
          "a cell lies outside the grid");
  require(is_rate(lowest) && is_rate(highest) && cell_of(lowest) == origin &&
              cell_of(highest) == origin + cells - 1,
          "its rates lie outside its cells");
  std::vector<Cell> contents;
  contents.reserve(static_cast<std::size_t>(cells));
  std::int64_t rows = 0;
  for (std::int64_t i = 0; i < cells; ++i) {
    contents.push_back(read_cell(reader));
    rows += contents.back().count + contents.back().nonfinite;
    require(rows <= kMostRows, "a number of rows is out of range");
  }
  const auto holds_rows = [](const Cell& cell) { return cell.count + cell.nonfinite > 0; };
  require(holds_rows(contents.front()) && holds_rows(contents.back()),
          "its rates lie outside its cells");
  return State(origin, std::move(contents), lowest, highest);
}

}  // namespace clrfast::analysis
