#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace kinglet::test {

/// The folder with golden files and real rows: $KINGLET_SHARED, else "../shared" beside the source tree;
/// absent in a fresh clone.
std::optional<std::filesystem::path> shared_dir();

/// Prints the line that ctest's SKIP_REGULAR_EXPRESSION looks for.
void report_skipped(std::string_view why);

/// A fresh folder, removed with everything in it on destruction.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);
/// Reads and inflates a .gz file.
std::string read_gz(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// While it lives, no file of this process may grow beyond `bytes`: writes fail as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes);
  ~FileSizeLimit();
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  uint64_t old_limit_;
  void (*old_handler_)(int);
};

/// The message of the exception that `call` throws; fails the test if it throws none.
template <typename Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  FAIL("expected an error, got none");
  return {};
}

}  // namespace kinglet::test

/// Binds `name` to the shared folder or leaves the test case as skipped.
#define REQUIRE_SHARED(name)                                     \
  const auto name##_optional = ::kinglet::test::shared_dir();    \
  if (!name##_optional) {                                        \
    ::kinglet::test::report_skipped("../shared is not present"); \
    return;                                                      \
  }                                                              \
  const std::filesystem::path& name = *name##_optional
