#include "languages.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"

namespace kinglet::train {

void Languages::add(std::string_view name) {
  constexpr size_t kMaximum = 65'534;
  if (rows_.contains(name)) return;
  if (names_.size() == kMaximum) throw Error("the rows have more than 65534 languages");
  rows_.emplace(name, static_cast<uint32_t>(names_.size()));
  names_.emplace_back(name);
}

uint32_t Languages::row(std::string_view name) const noexcept {
  const auto found = rows_.find(name);
  return found == rows_.end() ? static_cast<uint32_t>(names_.size()) : found->second;
}

void Languages::sort_from(size_t first) {
  std::sort(names_.begin() + static_cast<std::ptrdiff_t>(first), names_.end());
  for (size_t i = first; i < names_.size(); ++i) rows_.find(names_[i])->second = static_cast<uint32_t>(i);
}

void Languages::write(const std::filesystem::path& path) const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (size_t i = 0; i < names_.size(); ++i) json[names_[i]] = i;
  formats::AtomicFile file(path);
  file.write(json.dump(1) + "\n");
  file.commit();
}

}  // namespace kinglet::train
