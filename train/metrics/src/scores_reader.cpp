#include "kinglet/metrics/scores_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "src/score_parser.h"

namespace kinglet::metrics {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 18;
// Two ids of the row format's longest, every byte a quote written twice, and four numbers fit more than once.
constexpr size_t kMaxLineBytes = 4'096;

std::vector<std::filesystem::path> parts_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> parts;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().filename().string().starts_with("part-")) parts.push_back(entry.path());
  }
  if (parts.empty()) throw Error(path.string(), "", "expected a file, or a folder with part-* files");
  std::sort(parts.begin(), parts.end());
  return parts;
}

/// The lines of one file, without their ends (LF or CR LF).
class Lines {
 public:
  explicit Lines(const std::filesystem::path& path) : path_(path.string()), stream_(path, std::ios::binary) {
    if (std::filesystem::is_directory(path)) throw Error(path_, "", "expected a file, got a folder");
    if (!stream_) throw Error(path_, "", fmt::format("cannot open: {}", std::strerror(errno)));
  }

  bool next(std::string_view& line) {
    ++number_;
    size_t end = text_.find('\n', start_);
    if (end == std::string::npos && refill()) end = text_.find('\n', start_);
    if (end == std::string::npos && start_ == text_.size()) return false;
    const size_t next = end == std::string::npos ? text_.size() : end + 1;
    line = std::string_view(text_).substr(start_, std::min(end, text_.size()) - start_);
    if (line.size() > kMaxLineBytes)
      throw error(fmt::format("expected a line of at most {} bytes", kMaxLineBytes));
    if (line.ends_with('\r')) line.remove_suffix(1);
    start_ = next;
    return true;
  }

  Error error(std::string_view message) const { return {path_, fmt::format("line {}", number_), message}; }

 private:
  // Keeps what is left and adds a block: a whole line at least, unless the file ends or the line is too long.
  bool refill() {
    if (text_.size() - start_ > kMaxLineBytes || stream_.eof()) return false;
    text_.erase(0, start_);
    start_ = 0;
    const size_t kept = text_.size();
    text_.resize(kept + kBlockBytes);
    stream_.read(text_.data() + kept, static_cast<std::streamsize>(kBlockBytes));
    text_.resize(kept + static_cast<size_t>(stream_.gcount()));
    if (stream_.bad() || (stream_.fail() && !stream_.eof())) throw Error(path_, "", "cannot read");
    return text_.size() > kept;
  }

  std::string path_;
  std::ifstream stream_;
  std::string text_;
  size_t start_ = 0;
  uint64_t number_ = 0;  // of the latest line, from 1
};

}  // namespace

struct ScoresReader::State {
  explicit State(const std::filesystem::path& path) : parts(parts_of(path)) { open(); }

  void open() {
    lines.emplace(parts[part]);
    std::string_view header;
    if (!lines->next(header) || header != kScoresHeader) {
      throw lines->error(fmt::format("expected the header '{}', got {}", kScoresHeader, shown(header)));
    }
  }

  bool next(std::string_view& line) {
    while (!lines->next(line)) {
      if (part + 1 == parts.size()) return false;
      ++part;
      open();
    }
    return true;
  }

  std::vector<std::filesystem::path> parts;
  size_t part = 0;
  std::optional<Lines> lines;
  ScoreParser parser;
};

ScoresReader::ScoresReader(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
ScoresReader::ScoresReader(ScoresReader&&) noexcept = default;
ScoresReader& ScoresReader::operator=(ScoresReader&&) noexcept = default;
ScoresReader::~ScoresReader() = default;

bool ScoresReader::next(Score& score) {
  std::string_view line;
  if (!state_->next(line)) return false;
  try {
    state_->parser.parse(line, score);
  } catch (const Error& error) {
    throw error_here(error.what());
  }
  return true;
}

Error ScoresReader::error_here(std::string_view message) const {
  return state_->lines->error(message);
}

void MatchedScores::add(const Row& row, const formats::RowReader& rows) {
  const std::string place = fmt::format("{}: line {}", rows.file(), rows.line());
  Score score;
  if (!reader_.next(score)) {
    throw reader_.error_here(fmt::format("expected the score of {}, got the end of the file", place));
  }
  if (score.tweet_id != row.tweet_id || score.reader_id != row.reader_id) {
    throw reader_.error_here(fmt::format("expected tweet {} and reader {} of {}, got tweet {} and reader {}",
                                         shown(row.tweet_id), shown(row.reader_id), place,
                                         shown(score.tweet_id), shown(score.reader_id)));
  }
  probabilities_.add(score.probabilities);
}

void MatchedScores::finish(const formats::RowReader& rows) {
  Score score;
  if (!reader_.next(score)) return;
  throw reader_.error_here(
      fmt::format("expected the end of the file, since {} line {} is the last row, got tweet {}", rows.file(),
                  rows.line(), shown(score.tweet_id)));
}

}  // namespace kinglet::metrics
