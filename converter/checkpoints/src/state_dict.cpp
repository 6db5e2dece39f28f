#include "src/state_dict.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "kinglet/formats/error.h"

#include "src/limits.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kStateDict = "state_dict";

struct StorageType {
  std::string_view global;
  ElementType type;
};
constexpr std::array kStorageTypes{
    StorageType{"torch.FloatStorage", ElementType::f32},
    StorageType{"torch.HalfStorage", ElementType::f16},
    StorageType{"torch.BFloat16Storage", ElementType::bf16},
    StorageType{"torch.DoubleStorage", ElementType::f64},
    StorageType{"torch.LongStorage", ElementType::i64},
    StorageType{"torch.IntStorage", ElementType::i32},
    StorageType{"torch.ShortStorage", ElementType::i16},
    StorageType{"torch.CharStorage", ElementType::i8},
    StorageType{"torch.ByteStorage", ElementType::u8},
    StorageType{"torch.BoolStorage", ElementType::boolean},
};

constexpr auto kGlobals = [] {
  std::array<std::string_view, kStorageTypes.size() + 3> globals{"collections.OrderedDict", kRebuildTensor,
                                                                 kRebuildParameter};
  for (size_t index = 0; index < kStorageTypes.size(); ++index)
    globals[index + 3] = kStorageTypes[index].global;
  return globals;
}();

class StateDictFinder {
 public:
  StateDictFinder(const Pickle& pickle, std::string_view name) : pickle_(pickle), name_(name) {}

  StateDict find();

 private:
  using Items = std::span<const PickleRef>;
  struct Entry {
    std::string_view key;
    const PickleValue* value;
  };
  std::vector<Entry> entries(const PickleValue& dict) const;
  const PickleValue* nested_state_dict(const std::vector<Entry>& top);
  void add_tensors(const std::vector<Entry>& entries, std::string_view path);
  bool is_tensor(const PickleValue& value) const;
  TensorView tensor(const PickleValue& value, std::string name) const;
  void set_storage(const PickleValue& value, TensorView& view) const;

  Items arguments(const PickleValue& call) const { return pickle_[call.items[1]].items; }
  std::string_view callee(const PickleValue& call) const { return pickle_[call.items[0]].text; }
  uint64_t unsigned_integer(PickleRef ref, std::string_view place, std::string_view what) const;
  std::vector<uint64_t> unsigned_tuple(PickleRef ref, std::string_view place, std::string_view what) const;
  [[noreturn]] void fail(std::string_view place, std::string_view message) const {
    throw Error(name_, in_quotes(place), message);
  }

  const Pickle& pickle_;
  std::string_view name_;
  StateDict found_;
};

StateDict StateDictFinder::find() {
  const PickleValue& top = pickle_.root();
  if (top.kind != PickleKind::dict) {
    throw Error(name_, "",
                std::string("expected a dict of tensors by name, got ") + pickle_kind_name(top.kind));
  }
  const std::vector<Entry> top_entries = entries(top);
  if (const PickleValue* nested = nested_state_dict(top_entries)) {
    add_tensors(entries(*nested), "state_dict.");
  } else {
    add_tensors(top_entries, "");
  }
  if (found_.tensors.empty()) {
    throw Error(name_, "", "expected a dict of tensors by name, or one with the key \"state_dict\"");
  }
  return std::move(found_);
}

// A training framework's checkpoint: its other keys are listed, never looked into.
const PickleValue* StateDictFinder::nested_state_dict(const std::vector<Entry>& top) {
  const auto nested =
      std::find_if(top.begin(), top.end(), [](const Entry& entry) { return entry.key == kStateDict; });
  if (nested == top.end()) return nullptr;
  if (nested->value->kind != PickleKind::dict) {
    fail(kStateDict, std::string("expected a dict, got ") + pickle_kind_name(nested->value->kind));
  }
  for (const Entry& entry : top) {
    if (entry.key != kStateDict) found_.ignored.emplace_back(entry.key);
  }
  return nested->value;
}

void StateDictFinder::add_tensors(const std::vector<Entry>& entries, std::string_view path) {
  for (const auto& [name, value] : entries) {
    if (!is_tensor(*value)) {
      found_.ignored.push_back(std::string(path).append(name));
      continue;
    }
    if (found_.tensors.size() == kMaxTensors)
      fail(name, "more than " + std::to_string(kMaxTensors) + " tensors");
    found_.tensors.push_back(tensor(*value, std::string(name)));
  }
}

// Distinct keys also bound what the names take when they are copied: a pickle may refer to one text many
// times.
std::vector<StateDictFinder::Entry> StateDictFinder::entries(const PickleValue& dict) const {
  std::vector<Entry> entries;
  std::unordered_set<std::string_view> keys;
  for (size_t index = 0; index < dict.items.size(); index += 2) {
    const PickleValue& key = pickle_[dict.items[index]];
    if (key.kind != PickleKind::text) {
      throw Error(name_, "",
                  std::string("expected a dict whose keys are strs, got ") + pickle_kind_name(key.kind));
    }
    if (!keys.insert(key.text).second) fail(key.text, "this key stands twice");
    entries.push_back({key.text, &pickle_[dict.items[index + 1]]});
  }
  return entries;
}

bool StateDictFinder::is_tensor(const PickleValue& value) const {
  return value.kind == PickleKind::call &&
         (callee(value) == kRebuildTensor || callee(value) == kRebuildParameter);
}

// _rebuild_parameter(tensor, requires_grad, backward_hooks)
// _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks[, metadata])
TensorView StateDictFinder::tensor(const PickleValue& value, std::string name) const {
  const PickleValue* call = &value;
  if (callee(*call) == kRebuildParameter) {
    const Items parameter = arguments(*call);
    if (parameter.size() != 3) fail(name, "expected a parameter of 3 arguments");
    call = &pickle_[parameter[0]];
    if (call->kind != PickleKind::call) fail(name, "expected a parameter that holds a tensor");
  }
  if (callee(*call) != kRebuildTensor) fail(name, "expected a parameter that holds a tensor");
  const Items parts = arguments(*call);
  if (parts.size() != 6 && parts.size() != 7) fail(name, "expected a tensor of 6 or 7 arguments");

  TensorView view;
  set_storage(pickle_[parts[0]], view);
  view.offset = unsigned_integer(parts[1], name, "storage offset");
  view.shape = unsigned_tuple(parts[2], name, "shape");
  view.strides = unsigned_tuple(parts[3], name, "strides");
  if (view.shape.size() != view.strides.size()) fail(name, "expected as many strides as dimensions");
  view.name = std::move(name);
  return view;
}

// A storage is ("storage", type, key, device, elements).
void StateDictFinder::set_storage(const PickleValue& value, TensorView& view) const {
  const auto refuse = [this](std::string_view message) { throw Error(name_, "storage", message); };
  if (value.kind != PickleKind::persistent) refuse("expected a tensor's first argument to be a storage");
  const PickleValue& id = pickle_[value.items[0]];
  if (id.kind != PickleKind::tuple || id.items.size() != 5) refuse("expected a tuple of 5 items");
  const PickleValue& tag = pickle_[id.items[0]];
  const PickleValue& type = pickle_[id.items[1]];
  const PickleValue& key = pickle_[id.items[2]];
  if (tag.kind != PickleKind::text || tag.text != "storage" || key.kind != PickleKind::text) {
    refuse("expected (\"storage\", type, key, device, elements)");
  }
  const auto known =
      std::find_if(kStorageTypes.begin(), kStorageTypes.end(), [&](const StorageType& storage) {
        return type.kind == PickleKind::global && type.text == storage.global;
      });
  if (known == kStorageTypes.end()) refuse("expected one of torch's storage types");
  view.type = known->type;
  view.storage = key.text;
  view.storage_elements = unsigned_integer(id.items[4], key.text, "storage size");
}

uint64_t StateDictFinder::unsigned_integer(PickleRef ref, std::string_view place,
                                           std::string_view what) const {
  const PickleValue& value = pickle_[ref];
  if (value.kind != PickleKind::integer || value.integer < 0) {
    fail(place, "expected the " + std::string(what) + " to be 0 or more");
  }
  return static_cast<uint64_t>(value.integer);
}

std::vector<uint64_t> StateDictFinder::unsigned_tuple(PickleRef ref, std::string_view place,
                                                      std::string_view what) const {
  const PickleValue& value = pickle_[ref];
  if (value.kind != PickleKind::tuple || value.items.size() > kMaxDimensions) {
    fail(place, "expected the " + std::string(what) + " to be a tuple of at most " +
                    std::to_string(kMaxDimensions) + " items");
  }
  std::vector<uint64_t> numbers;
  for (const PickleRef item : value.items) numbers.push_back(unsigned_integer(item, place, what));
  return numbers;
}

}  // namespace

std::span<const std::string_view> state_dict_globals() noexcept {
  return kGlobals;
}

StateDict find_state_dict(const Pickle& pickle, std::string_view name) {
  return StateDictFinder(pickle, name).find();
}

}  // namespace kinglet::converter
