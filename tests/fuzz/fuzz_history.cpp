// Bytes as a history file, as they are and once more with the header's size and checksum made right, so that
// the fuzzer reaches what lies behind them. What opens is asked for keys that it holds and for others.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "kinglet/features/history_values.h"
#include "kinglet/formats/error.h"

#include "history_layout.h"

namespace {

using kinglet::formats::Fingerprint;
using kinglet::formats::HistoryFile;
using kinglet::formats::HistoryPart;
namespace layout = kinglet::formats::history_layout;

void look_up(const HistoryFile& history, Fingerprint key) {
  for (const HistoryPart part : {HistoryPart::train, HistoryPart::valid}) {
    const auto counts = history.find(part, key);
    if (!(counts == history.read(part, key, history.locate(part, key)))) std::abort();
  }
  const auto similar = history.similar_authors(key);
  if (similar.size() > kinglet::formats::kMaxSimilarAuthors) std::abort();
  volatile double sum = 0;
  for (const auto& entry : similar) sum = sum + entry.similarity;
}

void values_of_a_row(const HistoryFile& history) {
  const std::array<std::string_view, 2> hashtags{"h0", "h1"};
  kinglet::Row row;
  row.author_id = "u1";
  row.reader_id = "u2";
  row.tweet_id = "t0";
  row.language = "l0";
  row.hashtags = hashtags;
  std::array<double, kinglet::features::kHistoryValues> values;
  kinglet::features::history_values(row, {.history = &history}, values);
}

void open_and_look_up(const std::string& path, const std::vector<uint8_t>& bytes) {
  for (const auto verify : {HistoryFile::Verify::header, HistoryFile::Verify::full}) {
    try {
      const HistoryFile history(path, verify);
      for (size_t at = 0; at + 8 <= std::min<size_t>(bytes.size(), 1 << 16); at += 8) {
        Fingerprint key = 0;
        std::memcpy(&key, &bytes[at], sizeof key);
        look_up(history, key);
        look_up(history, key + 1);
      }
      values_of_a_row(history);
    } catch (const kinglet::Error&) {  // refused: as it should be
    }
  }
}

class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("history", MFD_CLOEXEC)) {
    if (descriptor_ < 0) std::abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  void set(const std::vector<uint8_t>& bytes) const {
    const auto size = static_cast<ssize_t>(bytes.size());
    if (::ftruncate(descriptor_, size) != 0 || ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) != size)
      std::abort();
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void seal(std::vector<uint8_t>& bytes) {
  layout::Header header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.identifier = layout::kIdentifier;
  header.version = layout::kVersion;
  header.header_bytes = sizeof header;
  header.file_bytes = bytes.size();
  header.checksum = layout::header_checksum(header);
  std::memcpy(bytes.data(), &header, sizeof header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile file;
  std::vector<uint8_t> bytes(data, data + size);
  file.set(bytes);
  open_and_look_up(file.path(), bytes);
  seal(bytes);
  file.set(bytes);
  open_and_look_up(file.path(), bytes);
  return 0;
}
