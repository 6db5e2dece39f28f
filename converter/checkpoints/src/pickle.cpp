#include "src/pickle.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <string>

#include "src/byte_cursor.h"
#include "src/limits.h"
#include "src/pickle_opcodes.h"
#include "src/text.h"

namespace kinglet::converter {
namespace {

constexpr uint8_t kOldestProtocol = 2;
constexpr uint8_t kNewestProtocol = 5;
constexpr PickleRef kNoRef = 0xFFFF'FFFF;
constexpr std::string_view kOrderedDict = "collections.OrderedDict";

std::string hex(uint8_t byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4U], digits[byte & 15U]};
}

}  // namespace

const char* pickle_kind_name(PickleKind kind) noexcept {
  switch (kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return "a bool";
    case PickleKind::integer:
      return "an int";
    case PickleKind::real:
      return "a float";
    case PickleKind::text:
      return "a str";
    case PickleKind::tuple:
      return "a tuple";
    case PickleKind::list:
      return "a list";
    case PickleKind::dict:
      return "a dict";
    case PickleKind::global:
      return "a global";
    case PickleKind::call:
      return "a rebuilt object";
    case PickleKind::persistent:
      return "a storage";
  }
  return "";
}

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, std::string_view name,
                std::span<const std::string_view> globals)
      : cursor_(bytes, name), globals_(globals) {}

  Pickle run();

 private:
  void execute(PickleOpcode opcode);
  void read_protocol();
  void read_frame();
  PickleRef add(PickleValue value);
  void push(PickleValue value) { stack_.push_back(add(std::move(value))); }
  void push_integer(int64_t integer) { push({.kind = PickleKind::integer, .integer = integer}); }
  void push_boolean(bool boolean) { push({.kind = PickleKind::boolean, .integer = boolean ? 1 : 0}); }
  void push_long();
  void push_real();
  void push_text(std::string_view text);
  void push_tuple(size_t count);
  void push_global(std::string_view module, std::string_view name);
  void push_global_line();
  void push_stack_global();
  void push_persistent();
  void push_memo(size_t index);
  void remember(size_t index);
  void reduce();
  void build();
  void append(size_t count);
  void set_items(size_t count);

  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleRef pop();
  std::vector<PickleRef> pop_items(size_t count);
  size_t items_above_mark();
  PickleValue& top(PickleKind kind, std::string_view for_what);
  [[noreturn]] void fail(std::string_view message) const { cursor_.fail_at(opcode_offset_, message); }

  ByteCursor cursor_;
  std::span<const std::string_view> globals_;
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;  // stack sizes at each MARK
  std::vector<PickleRef> memo_;
  size_t memo_count_ = 0;
  uint64_t opcode_offset_ = 0;
};

Pickle PickleMachine::run() {
  if (cursor_.remaining() > kMaxPickleBytes) {
    fail("a pickle of more than " + std::to_string(kMaxPickleBytes) + " bytes");
  }
  read_protocol();
  for (size_t executed = 0; executed < kMaxPickleOpcodes; ++executed) {
    opcode_offset_ = cursor_.offset();
    const auto opcode = static_cast<PickleOpcode>(cursor_.read<uint8_t>());
    if (opcode != PickleOpcode::stop) {
      execute(opcode);
      continue;
    }
    if (stack_.size() != 1 || !marks_.empty()) fail("expected exactly one value at STOP");
    if (cursor_.remaining() != 0) fail(std::to_string(cursor_.remaining()) + " bytes follow STOP");
    pickle_.root_ = stack_.front();
    return std::move(pickle_);
  }
  fail("more than " + std::to_string(kMaxPickleOpcodes) + " opcodes");
}

void PickleMachine::execute(PickleOpcode opcode) {
  using Op = PickleOpcode;
  switch (opcode) {
    case Op::frame:
      return read_frame();
    case Op::mark:
      return marks_.push_back(stack_.size());
    case Op::none:
      return push({});
    case Op::newtrue:
      return push_boolean(true);
    case Op::newfalse:
      return push_boolean(false);
    case Op::binint:
      return push_integer(cursor_.read<int32_t>());
    case Op::binint1:
      return push_integer(cursor_.read<uint8_t>());
    case Op::binint2:
      return push_integer(cursor_.read<uint16_t>());
    case Op::long1:
      return push_long();
    case Op::binfloat:
      return push_real();
    case Op::short_binunicode:
      return push_text(cursor_.take_text(cursor_.read<uint8_t>()));
    case Op::binunicode:
      return push_text(cursor_.take_text(cursor_.read<uint32_t>()));
    case Op::empty_tuple:
      return push_tuple(0);
    case Op::tuple1:
      return push_tuple(1);
    case Op::tuple2:
      return push_tuple(2);
    case Op::tuple3:
      return push_tuple(3);
    case Op::tuple:
      return push_tuple(items_above_mark());
    case Op::empty_list:
      return push({.kind = PickleKind::list});
    case Op::append:
      return append(1);
    case Op::appends:
      return append(items_above_mark());
    case Op::empty_dict:
      return push({.kind = PickleKind::dict});
    case Op::setitem:
      return set_items(2);
    case Op::setitems:
      return set_items(items_above_mark());
    case Op::memoize:
      return remember(memo_count_);
    case Op::binput:
      return remember(cursor_.read<uint8_t>());
    case Op::long_binput:
      return remember(cursor_.read<uint32_t>());
    case Op::binget:
      return push_memo(cursor_.read<uint8_t>());
    case Op::long_binget:
      return push_memo(cursor_.read<uint32_t>());
    case Op::global:
      return push_global_line();
    case Op::stack_global:
      return push_stack_global();
    case Op::reduce:
      return reduce();
    case Op::build:
      return build();
    case Op::binpersid:
      return push_persistent();
    default:
      break;
  }
  const auto byte = static_cast<uint8_t>(opcode);
  fail("the pickle opcode " + std::string(pickle_opcode_name(byte)) + " (" + hex(byte) +
       ") is not on the allow-list");
}

void PickleMachine::read_protocol() {
  if (cursor_.remaining() == 0 || cursor_.read<uint8_t>() != static_cast<uint8_t>(PickleOpcode::proto)) {
    fail("expected a pickle of protocol 2 to 5");
  }
  const auto protocol = cursor_.read<uint8_t>();
  if (protocol < kOldestProtocol || protocol > kNewestProtocol) {
    fail("expected a pickle of protocol 2 to 5, got " + std::to_string(protocol));
  }
}

// Frames only tell a stream how much to fetch at once.
void PickleMachine::read_frame() {
  if (cursor_.read<uint64_t>() > cursor_.remaining()) fail("a frame beyond the pickle's end");
}

PickleRef PickleMachine::add(PickleValue value) {
  pickle_.values_.push_back(std::move(value));
  return static_cast<PickleRef>(pickle_.values_.size() - 1);
}

void PickleMachine::push_long() {
  const size_t count = cursor_.read<uint8_t>();
  if (count > sizeof(int64_t)) fail("an int of more than 64 bits");
  uint64_t bits = 0;
  const auto bytes = cursor_.take(count);
  for (size_t index = 0; index < count; ++index)
    bits |= std::to_integer<uint64_t>(bytes[index]) << (8 * index);
  const bool negative = count > 0 && (bytes.back() & std::byte{0x80}) != std::byte{0};
  if (negative && count < sizeof bits) bits |= ~uint64_t{0} << (8 * count);
  push_integer(static_cast<int64_t>(bits));
}

void PickleMachine::push_real() {
  uint64_t bits = 0;
  for (const std::byte byte : cursor_.take(sizeof bits)) bits = bits << 8U | std::to_integer<uint64_t>(byte);
  push({.kind = PickleKind::real, .real = std::bit_cast<double>(bits)});
}

void PickleMachine::push_text(std::string_view text) {
  if (!is_utf8(text)) fail("a str that is not valid UTF-8");
  push({.kind = PickleKind::text, .text = text});
}

void PickleMachine::push_tuple(size_t count) {
  push({.kind = PickleKind::tuple, .items = pop_items(count)});
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  const auto matches = [&](std::string_view allowed) {
    return allowed.size() == module.size() + 1 + name.size() && allowed.starts_with(module) &&
           allowed[module.size()] == '.' && allowed.ends_with(name);
  };
  const auto found = std::find_if(globals_.begin(), globals_.end(), matches);
  if (found == globals_.end()) {
    fail("the global " +
         in_quotes(std::string(module.substr(0, 128)) + '.' + std::string(name.substr(0, 128))) +
         " is not on the allow-list");
  }
  push({.kind = PickleKind::global, .text = *found});
}

void PickleMachine::push_global_line() {
  const auto line = [this] {
    const uint64_t begin = cursor_.offset();
    uint64_t length = 0;
    while (cursor_.read<char>() != '\n') ++length;
    cursor_.seek(begin);
    const auto text = cursor_.take_text(length);
    cursor_.take(1);
    return text;
  };
  const auto module = line();
  push_global(module, line());
}

void PickleMachine::push_stack_global() {
  const PickleValue& name = pickle_[pop()];
  const PickleValue& module = pickle_[pop()];
  if (module.kind != PickleKind::text || name.kind != PickleKind::text) fail("STACK_GLOBAL expects two strs");
  push_global(module.text, name.text);
}

void PickleMachine::push_persistent() {
  push({.kind = PickleKind::persistent, .items = pop_items(1)});
}

void PickleMachine::push_memo(size_t index) {
  if (index >= memo_.size() || memo_[index] == kNoRef) {
    fail("nothing was remembered as " + std::to_string(index));
  }
  stack_.push_back(memo_[index]);
}

void PickleMachine::remember(size_t index) {
  if (index >= kMaxPickleOpcodes) fail("a memo index of more than " + std::to_string(kMaxPickleOpcodes));
  if (stack_.size() == floor()) fail("nothing to remember");
  if (index >= memo_.size()) memo_.resize(index + 1, kNoRef);
  if (memo_[index] == kNoRef) ++memo_count_;
  memo_[index] = stack_.back();
}

void PickleMachine::reduce() {
  const PickleRef arguments = pop();
  const PickleRef callable = pop();
  if (pickle_[callable].kind != PickleKind::global || pickle_[arguments].kind != PickleKind::tuple) {
    fail("REDUCE expects a global and a tuple");
  }
  if (pickle_[callable].text != kOrderedDict) {
    push({.kind = PickleKind::call, .items = {callable, arguments}});
    return;
  }
  if (!pickle_[arguments].items.empty()) fail("expected collections.OrderedDict without arguments");
  push({.kind = PickleKind::dict});
}

// A state dict carries its module versions as an attribute (_metadata). Attributes of a dict mean nothing
// here.
void PickleMachine::build() {
  const PickleRef state = pop();
  if (pickle_[state].kind != PickleKind::dict) fail("BUILD expects a dict of attributes");
  top(PickleKind::dict, "BUILD");
}

void PickleMachine::append(size_t count) {
  const auto items = pop_items(count);
  auto& list = top(PickleKind::list, "APPEND").items;
  list.insert(list.end(), items.begin(), items.end());
}

void PickleMachine::set_items(size_t count) {
  if (count % 2 != 0) fail("SETITEMS expects pairs");
  const auto items = pop_items(count);
  auto& dict = top(PickleKind::dict, "SETITEM").items;
  dict.insert(dict.end(), items.begin(), items.end());
}

PickleRef PickleMachine::pop() {
  if (stack_.size() == floor()) fail("too few values on the stack");
  const PickleRef ref = stack_.back();
  stack_.pop_back();
  return ref;
}

std::vector<PickleRef> PickleMachine::pop_items(size_t count) {
  if (stack_.size() - floor() < count) fail("too few values on the stack");
  std::vector<PickleRef> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return items;
}

// Removes the topmost mark.
size_t PickleMachine::items_above_mark() {
  if (marks_.empty()) fail("no mark on the stack");
  const size_t count = stack_.size() - marks_.back();
  marks_.pop_back();
  return count;
}

PickleValue& PickleMachine::top(PickleKind kind, std::string_view for_what) {
  if (stack_.size() == floor()) fail("too few values on the stack");
  PickleValue& value = pickle_.values_[stack_.back()];
  if (value.kind != kind) {
    fail(std::string(for_what) + " expects " + pickle_kind_name(kind) + ", got " +
         pickle_kind_name(value.kind));
  }
  return value;
}

Pickle read_pickle(std::span<const std::byte> bytes, std::string_view name,
                   std::span<const std::string_view> globals) {
  return PickleMachine(bytes, name, globals).run();
}

}  // namespace kinglet::converter
