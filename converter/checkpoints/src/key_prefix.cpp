#include "src/key_prefix.h"

#include <optional>
#include <string_view>
#include <utility>

#include "kinglet/formats/error.h"

#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr std::string_view kAnchor = "l1.weight";  // a name that every network of spec section 6 has

std::optional<std::string_view> prefix_before_anchor(std::string_view name) {
  if (!name.ends_with(kAnchor)) return std::nullopt;
  const auto prefix = name.substr(0, name.size() - kAnchor.size());
  if (!prefix.empty() && !prefix.ends_with('.')) return std::nullopt;
  return prefix;
}

}  // namespace

void strip_key_prefix(Checkpoint& checkpoint, const std::string& name) {
  std::optional<std::string> found;
  for (const auto& [tensor, unused] : checkpoint.tensors) {
    const auto prefix = prefix_before_anchor(tensor);
    if (!prefix) continue;
    if (found) {
      throw Error(name, "",
                  "two networks: expected one tensor named \"l1.weight\" after a prefix, got " +
                      in_quotes(*found + std::string(kAnchor)) + " and " + in_quotes(tensor));
    }
    found = *prefix;
  }
  if (!found || found->empty()) return;
  checkpoint.key_prefix = *found;
  TensorMap stripped;
  for (auto& [tensor, value] : checkpoint.tensors) {
    if (tensor.starts_with(*found)) {
      stripped.emplace(tensor.substr(found->size()), std::move(value));
    } else {
      checkpoint.ignored.push_back(tensor);
    }
  }
  checkpoint.tensors = std::move(stripped);
}

}  // namespace kinglet::converter
