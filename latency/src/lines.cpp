#include "kinglet/latency/lines.h"

#include <unordered_set>

#include "kinglet/formats/error.h"
#include "kinglet/formats/row_reader.h"

namespace kinglet::latency {

std::vector<std::string> read_lines(const std::vector<std::filesystem::path>& inputs,
                                    const LineChoice& choice, const ProgressFn& progress) {
  formats::RowReader reader(inputs);
  std::unordered_set<std::string> tweets;
  std::vector<std::string> lines;
  for (Row row; lines.size() < choice.maximum && reader.next(row);) {
    if (progress) progress("reading rows", reader.bytes_read(), reader.total_bytes(), "bytes");
    if (row.tokens.size() < choice.minimum_tokens) continue;
    if (choice.different_tweets && !tweets.emplace(row.tweet_id).second) continue;
    lines.emplace_back(reader.text());
  }
  if (lines.empty()) {
    throw Error(inputs.front().string(), "",
                "expected a row of at least " + std::to_string(choice.minimum_tokens) + " tokens");
  }
  return lines;
}

}  // namespace kinglet::latency
