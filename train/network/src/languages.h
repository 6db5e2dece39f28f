#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::train {

/// The languages with an embedding row each, from row 0 up; one more row stands for all others.
class Languages {
 public:
  /// Adds one if it is new. Throws Error beyond 65,534.
  void add(std::string_view name);
  /// Its row, or the row of all others.
  uint32_t row(std::string_view name) const noexcept;
  uint32_t rows() const noexcept { return static_cast<uint32_t>(names_.size()) + 1; }
  const std::vector<std::string>& names() const noexcept { return names_; }
  /// In bytewise order from place `first` on, whatever order they were added in.
  void sort_from(size_t first);
  /// {"NAME": row, ...} as converter::read_languages() reads it. Throws Error.
  void write(const std::filesystem::path& path) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, uint32_t, std::less<>> rows_;
};

}  // namespace kinglet::train
