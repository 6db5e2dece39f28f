#include "kinglet/formats/file.h"

#include "kinglet/formats/error.h"

#include "support/support.h"

using kinglet::formats::AtomicFile;
using kinglet::formats::MappedFile;
using kinglet::test::TempDir;

TEST_CASE("a committed file holds what was written, and nothing is left beside it") {
  TempDir dir;
  {
    AtomicFile file(dir / "out");
    file.write("hello");
    file.pad_to(64);
    file.write(std::string(1 << 20, 'x'));
    file.write_at(0, "J", 1);
    CHECK(file.size() == 64 + (1 << 20));
    file.commit();
  }
  const MappedFile mapped(dir / "out");
  CHECK(mapped.bytes().size() == 64 + (1 << 20));
  CHECK(static_cast<char>(mapped.bytes()[0]) == 'J');
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("an abandoned file leaves the old one untouched") {
  TempDir dir;
  kinglet::test::write_file(dir / "out", "old");
  {
    AtomicFile file(dir / "out");
    file.write("new");
  }
  CHECK(kinglet::test::read_file(dir / "out") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("missing, empty and special files are refused by name") {
  TempDir dir;
  kinglet::test::write_file(dir / "empty", "");
  CHECK(kinglet::test::error_of([&] { MappedFile file(dir / "none"); }).find("none: cannot open") !=
        std::string::npos);
  CHECK(kinglet::test::error_of([&] { MappedFile file(dir / "empty"); }).find("empty") != std::string::npos);
  CHECK(kinglet::test::error_of([&] { MappedFile file(dir.path()); }).find("regular file") !=
        std::string::npos);
  CHECK(kinglet::test::error_of([&] { AtomicFile file(dir / "no/such/folder"); }).find("cannot create") !=
        std::string::npos);
}

TEST_CASE("a full disk is an error, and leaves nothing behind") {
  TempDir dir;
  // A file-size limit makes write(2) fail as a full disk does.
  const kinglet::test::FileSizeLimit limit(1 << 19);
  CHECK(kinglet::test::error_of([&] {
          AtomicFile file(dir / "out");
          file.write(std::string(1 << 20, 'x'));
          file.commit();
        }).find("out: cannot write") != std::string::npos);
  CHECK(std::filesystem::is_empty(dir.path()));
}
