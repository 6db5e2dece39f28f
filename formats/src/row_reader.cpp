#include "kinglet/formats/row_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "row_part.h"

namespace kinglet::formats {
namespace {

struct Part {
  std::filesystem::path path;
  uint64_t bytes;
  size_t input;  // which input it belongs to
};

std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code failure;
  std::filesystem::directory_iterator entry(folder, failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    if (entry->path().filename().native().starts_with("part-")) paths.push_back(entry->path());
  }
  if (failure) throw Error(folder.string(), "", "cannot list the folder: " + failure.message());
  if (paths.empty()) throw Error(folder.string(), "", "expected part-* files in the folder, found none");
  // std::string compares bytes as unsigned.
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return a.filename().native() < b.filename().native(); });
  return paths;
}

std::vector<Part> list_parts(const std::vector<std::filesystem::path>& inputs) {
  if (inputs.empty()) throw Error("expected at least one file or folder of rows");
  std::vector<Part> parts;
  for (size_t input = 0; input < inputs.size(); ++input) {
    std::error_code ignored;  // whatever cannot be a folder is opened as a file, which says why it cannot
    if (!std::filesystem::is_directory(inputs[input], ignored)) {
      parts.push_back({inputs[input], part_size(inputs[input]), input});
      continue;
    }
    for (auto& path : list_folder(inputs[input])) {
      const uint64_t bytes = part_size(path);
      parts.push_back({std::move(path), bytes, input});
    }
  }
  return parts;
}

uint64_t sum_bytes(const std::vector<Part>& parts) {
  uint64_t sum = 0;
  for (const Part& part : parts) sum += part.bytes;
  return sum;
}

std::string field_count_text(const Row& row) {
  return std::to_string(row.has_labels ? kRowFields : kRowFieldsWithoutLabels);
}

// Cuts a file's text into lines. The text is held in one buffer, large enough for the longest line and one
// block.
class LineBuffer {
 public:
  explicit LineBuffer(size_t block_bytes)
      : block_(std::max<size_t>(block_bytes, 1)),
        capacity_(RowLimits::line_bytes + 1 + block_),
        text_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

  size_t block_bytes() const noexcept { return block_; }

  void clear() noexcept { begin_ = scanned_ = end_ = 0; }

  /// The next line without its "\n", or false at the file's end. A line beyond the limit is given cut off,
  /// but still beyond the limit.
  bool next(PartFile& file, std::string_view& line) {
    for (;;) {
      if (const char* found = find_line_end(); found != nullptr) {
        line = {text_.get() + begin_, static_cast<size_t>(found - text_.get()) - begin_};
        begin_ = scanned_ = begin_ + line.size() + 1;
        return true;
      }
      scanned_ = end_;
      if (end_ - begin_ > RowLimits::line_bytes || !fill(file)) break;
    }
    line = {text_.get() + begin_, end_ - begin_};
    begin_ = end_;
    return !line.empty();
  }

 private:
  const char* find_line_end() const noexcept {
    return static_cast<const char*>(std::memchr(text_.get() + scanned_, '\n', end_ - scanned_));
  }

  // Moving the unfinished line to the front when it is no longer than what was consumed keeps the work linear
  // and the buffer's touched part small; when no block fits any more, it must move.
  bool fill(PartFile& file) {
    const size_t rest = end_ - begin_;
    if (rest <= begin_ || capacity_ - end_ < block_) {
      std::memmove(text_.get(), text_.get() + begin_, rest);
      begin_ = 0;
      scanned_ = end_ = rest;
    }
    const size_t got = file.read(text_.get() + end_, block_);
    end_ += got;
    return got > 0;
  }

  size_t block_;
  size_t capacity_;
  std::unique_ptr<char[]> text_;
  size_t begin_ = 0;    // of the next line
  size_t scanned_ = 0;  // up to here there is no line end
  size_t end_ = 0;
};

}  // namespace

struct RowReader::State {
  State(std::vector<std::filesystem::path> given, const Options& options)
      : inputs(std::move(given)),
        require_labels(options.require_labels),
        parts(list_parts(inputs)),
        total_bytes(sum_bytes(parts)),
        buffer(options.block_bytes) {}

  bool next(Row& row);
  bool open_next();
  void close();
  void check_labels(const Row& row);
  Error error_here(std::string_view message) const { return {path, "line " + std::to_string(line), message}; }

  std::vector<std::filesystem::path> inputs;
  bool require_labels;
  std::vector<Part> parts;
  uint64_t total_bytes;
  LineBuffer buffer;
  RowParser parser;
  std::optional<PartFile> file;
  size_t opened = 0;  // parts opened so far; the open one is the last of them
  std::string path;   // of the open part
  uint64_t line = 0;
  std::string_view text;  // of that line
  uint64_t rows = 0;
  uint64_t rows_in_input = 0;
  bool labelled = false;         // what the input's first row is
  uint64_t bytes_of_closed = 0;  // read from parts already closed
  bool spent = false;
};

bool RowReader::State::open_next() {
  if (opened == parts.size()) return false;
  const Part& part = parts[opened++];
  path = part.path.string();
  line = 0;
  buffer.clear();
  file.emplace(part.path, buffer.block_bytes());
  return true;
}

void RowReader::State::close() {
  bytes_of_closed += file->bytes_read();
  file.reset();
  const size_t input = parts[opened - 1].input;
  const bool input_ended = opened == parts.size() || parts[opened].input != input;
  if (!input_ended) return;
  if (rows_in_input == 0) throw Error(inputs[input].string(), "", "expected rows, but it is empty");
  rows_in_input = 0;
}

void RowReader::State::check_labels(const Row& row) {
  if (require_labels && !row.has_labels)
    throw error_here("expected 24 fields (the labels are needed), got 20");
  if (rows_in_input == 0) labelled = row.has_labels;
  if (row.has_labels == labelled) return;
  throw error_here("expected " + std::string(labelled ? "24" : "20") + " fields as in the first row, got " +
                   field_count_text(row));
}

bool RowReader::State::next(Row& row) {
  for (;;) {
    if (!file && !open_next()) return false;
    if (buffer.next(*file, text)) break;
    close();
  }
  ++line;
  RowError error;
  if (!parser.parse(text, row, error)) throw error_here(describe(error, text));
  check_labels(row);
  ++rows;
  ++rows_in_input;
  return true;
}

RowReader::RowReader(std::vector<std::filesystem::path> inputs, Options options)
    : state_(std::make_unique<State>(std::move(inputs), options)) {}
RowReader::RowReader(RowReader&& other) noexcept = default;
RowReader& RowReader::operator=(RowReader&& other) noexcept = default;
RowReader::~RowReader() = default;

bool RowReader::next(Row& row) {
  if (state_->spent) return false;
  state_->spent = true;  // unless this call gives a row
  state_->spent = !state_->next(row);
  return !state_->spent;
}

const std::string& RowReader::file() const noexcept {
  return state_->path;
}
uint64_t RowReader::line() const noexcept {
  return state_->line;
}
std::string_view RowReader::text() const noexcept {
  return state_->text;
}
uint64_t RowReader::row_index() const noexcept {
  return state_->rows - 1;
}
uint64_t RowReader::bytes_read() const noexcept {
  return state_->bytes_of_closed + (state_->file ? state_->file->bytes_read() : 0);
}
uint64_t RowReader::total_bytes() const noexcept {
  return state_->total_bytes;
}
Error RowReader::error_here(std::string_view message) const {
  return state_->error_here(message);
}

}  // namespace kinglet::formats
