#include "history/world.h"

#include <array>

namespace kinglet::test {
namespace {

constexpr int64_t kStart = 1'612'396'800;
constexpr int64_t kDay = 86'400;

std::string name(const char* kind, uint64_t number) {
  return kind + std::to_string(number);
}

std::string hashtags(Random& random, const WorldShape& shape) {
  std::string list;
  for (uint64_t count = random.below(4); count > 0; --count) {
    if (!list.empty()) list += '\t';
    list += name("h", random.below(shape.hashtags));
  }
  return list;
}

}  // namespace

std::string random_rows(Random& random, const WorldShape& shape, uint64_t rows) {
  std::string text;
  for (uint64_t row = 0; row < rows; ++row) {
    const int64_t time = kStart + static_cast<int64_t>(random.below(shape.days * kDay));
    std::array<std::string, 4> labels;
    for (std::string& label : labels) {
      if (random.below(4) == 0) label = std::to_string(time + static_cast<int64_t>(random.below(2 * kDay)));
    }
    const std::array<std::string, 24> fields{"101\t102",
                                             hashtags(random, shape),
                                             name("t", random.below(shape.tweets)),
                                             "",
                                             "",
                                             "",
                                             "TopLevel",
                                             name("l", random.below(shape.languages)),
                                             std::to_string(time),
                                             name("u", random.below(shape.users)),
                                             "1",
                                             "2",
                                             "false",
                                             "1230000000",
                                             name("u", random.below(shape.users)),
                                             "3",
                                             "4",
                                             "true",
                                             "1230000000",
                                             random.below(2) == 0 ? "true" : "false",
                                             labels[0],
                                             labels[1],
                                             labels[2],
                                             labels[3]};
    for (size_t f = 0; f < fields.size(); ++f) {
      if (f > 0) text += '\x01';
      text += fields[f];
    }
    text += '\n';
  }
  return text;
}

}  // namespace kinglet::test
