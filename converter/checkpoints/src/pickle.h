#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::converter {

enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dict,
  global,      // a name of the allow-list, nothing more
  call,        // a global and the arguments it would be called with; nobody calls it
  persistent,  // an id that the pickle's owner resolves; torch's storages
};
const char* pickle_kind_name(PickleKind kind) noexcept;

/// Refers to a value of the same Pickle. Values may contain themselves, so walks must not recurse freely.
using PickleRef = uint32_t;

struct PickleValue {
  PickleKind kind = PickleKind::none;
  int64_t integer = 0;      // boolean (0, 1) and integer
  double real = 0;          // real
  std::string_view text{};  // text (UTF-8, a view into the pickle) and global ("module.name")
  /// Tuple, list: elements. Dict: key, value, ... Call: callable, arguments (a tuple). Persistent: the id.
  std::vector<PickleRef> items{};
};

/// A pickle as plain data. Values live as long as this object, their texts as long as the pickle's bytes.
class Pickle {
 public:
  const PickleValue& root() const { return values_[root_]; }
  const PickleValue& operator[](PickleRef ref) const { return values_[ref]; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;  // a deque grows without a second copy
  PickleRef root_ = 0;
};

/// Runs a pickle of protocols 2 to 5 as a data machine: opcodes build values and nothing is imported or
/// called. Any opcode outside the machine's list, any global outside `globals` ("module.name", referred to by
/// the result) and anything beyond kMaxPickleBytes or kMaxPickleOpcodes throws Error with NAME and the byte
/// offset. The one callable understood is collections.OrderedDict without arguments, which makes a dict.
Pickle read_pickle(std::span<const std::byte> bytes, std::string_view name,
                   std::span<const std::string_view> globals);

}  // namespace kinglet::converter
