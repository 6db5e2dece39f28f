#pragma once

#include <cstdint>
#include <string>

#include "support/random.h"

namespace kinglet::test {

/// How small a world of random rows is: the fewer of each, the more its rows meet.
struct WorldShape {
  uint64_t users = 12;  // authors and readers are the same users
  uint64_t tweets = 20;
  uint64_t hashtags = 5;
  uint64_t languages = 3;
  uint64_t days = 4;
};

/// Text of `rows` rows with labels, a line a row. A row may list a hashtag twice, and be read by its own
/// author.
std::string random_rows(Random& random, const WorldShape& shape, uint64_t rows);

}  // namespace kinglet::test
