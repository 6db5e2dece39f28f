#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "kinglet/kinglet.h"

#include "arguments.h"
#include "progress.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

struct Arguments {
  std::filesystem::path model;
  std::filesystem::path history;
  std::vector<std::filesystem::path> rows;
  std::filesystem::path output;
};

constexpr size_t kFlushBytes = size_t{1} << 16;

/// Standard output, or a file that appears under its name only when it is complete.
class Output {
 public:
  explicit Output(const std::filesystem::path& path) {
    if (!path.empty()) file_.emplace(path);
  }
  void write(std::string_view text) {
    if (file_) {
      file_->write(text);
    } else if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      throw Error("standard output", "", "cannot write");
    }
  }
  void finish() {
    if (file_) {
      file_->commit();
    } else if (std::fflush(stdout) != 0) {
      throw Error("standard output", "", "cannot write");
    }
  }

 private:
  std::optional<formats::AtomicFile> file_;
};

/// An id as a CSV field: quoted where it holds a comma or a quote (RFC 4180).
void append_field(std::string_view id, std::string& text) {
  if (id.find_first_of(",\"") == std::string_view::npos) {
    text += id;
    return;
  }
  text += '"';
  for (const char c : id) text.append(c == '"' ? 2 : 1, c);
  text += '"';
}

void append_scores(const Row& row, const Scores& scores, std::string& text) {
  append_field(row.tweet_id, text);
  text += ',';
  append_field(row.reader_id, text);
  fmt::format_to(std::back_inserter(text), ",{:.9g},{:.9g},{:.9g},{:.9g}\n",
                 scores.probability(Target::reply), scores.probability(Target::retweet),
                 scores.probability(Target::quote), scores.probability(Target::like));
}

void run(const Arguments& arguments) {
  const Model model = Model::open(arguments.model);
  const formats::HistoryFile history(arguments.history);
  Session session(model);
  formats::RowReader reader(arguments.rows);
  Output output(arguments.output);
  Progress progress;
  const ProgressFn report = progress.function();

  std::string text = "tweet_id,engaging_user_id,reply,retweet,retweet_with_comment,like\n";
  Row row;
  Scores scores;
  while (reader.next(row)) {
    const Status status = session.score(row, history, scores);
    if (status != Status::ok) throw reader.error_here(status_text(status));
    append_scores(row, scores, text);
    if (text.size() < kFlushBytes) continue;
    output.write(text);
    text.clear();
    report("scoring", reader.bytes_read(), reader.total_bytes(), "bytes");
  }
  output.write(text);
  output.finish();
  progress.finish();
}

}  // namespace

void add_score(Verb program) {
  Verb verb = program.add_verb("score", "Write the four probabilities of every row, as CSV in row order");
  auto arguments = std::make_shared<Arguments>();
  verb.option("--model", arguments->model, "Model file (kinglet convert)").required();
  verb.option("--history", arguments->history, "History file (kinglet history build)").required();
  verb.option("rows", arguments->rows, "Files, or folders of part-* files").required();
  verb.option("-o,--output", arguments->output, "CSV file to write [standard output]");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
