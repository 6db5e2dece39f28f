#include "sorted_runs.h"

#include <algorithm>
#include <utility>

namespace kinglet::history {
namespace {

constexpr size_t kMinBuffer = size_t{4} << 10;
constexpr size_t kMaxBuffer = size_t{1} << 20;
constexpr uint64_t kProgressRecords = uint64_t{1} << 20;

}  // namespace

SortedRuns::SortedRuns(std::filesystem::path output, uint64_t memory_bytes, Combine combine, Merging merging)
    : output_(std::move(output)),
      memory_bytes_(memory_bytes),
      combine_(combine),
      merging_(std::move(merging)),
      file_(output_) {}

void SortedRuns::add(std::span<const Record> run) {
  if (run.empty()) return;
  if (runs_.size() == kMaxRuns) merge();
  runs_.push_back({file_.size(), run.size()});
  file_.append(run.data(), run.size_bytes());
  written_bytes_ += run.size_bytes();
}

uint64_t SortedRuns::records() const noexcept {
  uint64_t records = 0;
  for (const Run& run : runs_) records += run.records;
  return records;
}

void SortedRuns::merge() {
  if (runs_.size() <= 1) return;
  SpillFile merged(output_);
  std::vector<Record> buffer;
  buffer.reserve(kMaxBuffer / sizeof(Record));
  const auto flush = [&] {
    merged.append(buffer.data(), buffer.size() * sizeof(Record));
    buffer.clear();
  };
  const uint64_t total = records();
  uint64_t done = 0;
  Cursor cursor(*this);
  for (Record record; cursor.next(record);) {
    if (merging_ && ++done % kProgressRecords == 0) merging_(done, total);
    if (!buffer.empty() && buffer.back().key == record.key && combine_(buffer.back(), record)) continue;
    if (buffer.size() == buffer.capacity()) flush();
    buffer.push_back(record);
  }
  flush();
  written_bytes_ += merged.size();
  runs_ = {{0, merged.size() / sizeof(Record)}};
  file_ = std::move(merged);
}

SortedRuns::Cursor::Cursor(const SortedRuns& runs) : file_(runs.file_) {
  const size_t share = runs.memory_bytes_ / std::max<size_t>(runs.runs_.size(), 1);
  buffer_records_ = std::clamp(share, kMinBuffer, kMaxBuffer) / sizeof(Record);
  for (const Run& run : runs.runs_) {
    sources_.push_back({run.offset, run.records, {}, 0});
    refill(sources_.back());
    heap_.push_back(heap_.size());
  }
  for (size_t at = heap_.size(); at-- > 0;) sift_down(at);
}

bool SortedRuns::Cursor::refill(Source& source) {
  const size_t count = std::min<uint64_t>(source.left, buffer_records_);
  if (count == 0) return false;
  source.buffer.resize(count);
  file_.read(source.offset, source.buffer.data(), count * sizeof(Record));
  source.offset += count * sizeof(Record);
  source.left -= count;
  source.at = 0;
  return true;
}

void SortedRuns::Cursor::sift_down(size_t at) {
  while (true) {
    size_t child = 2 * at + 1;
    if (child >= heap_.size()) return;
    if (child + 1 < heap_.size() && less(heap_[child + 1], heap_[child])) ++child;
    if (!less(heap_[child], heap_[at])) return;
    std::swap(heap_[at], heap_[child]);
    at = child;
  }
}

bool SortedRuns::Cursor::next(Record& record) {
  if (heap_.empty()) return false;
  Source& source = sources_[heap_.front()];
  record = source.buffer[source.at++];
  if (source.at == source.buffer.size() && !refill(source)) {
    heap_.front() = heap_.back();
    heap_.pop_back();
  }
  sift_down(0);
  return true;
}

}  // namespace kinglet::history
