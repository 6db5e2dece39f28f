#include "src/pickle.h"

#include "kinglet/formats/error.h"

#include "converter/checkpoint_bytes.h"
#include "src/limits.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using namespace kinglet::converter;
using kinglet::test::error_of;
using kinglet::test::exact_bytes;
using kinglet::test::PickleWriter;

// Opcodes without PROTO before; those of `pickle` with STOP behind.
struct Run {
  explicit Run(std::string_view opcodes) : bytes(exact_bytes(std::string("\x80\x05", 2).append(opcodes))) {
    constexpr std::string_view globals[] = {"collections.OrderedDict", "torch.FloatStorage"};
    pickle = read_pickle(bytes, "data.pkl", globals);
  }
  const PickleValue& root() const { return pickle.root(); }
  std::vector<std::byte> bytes;
  Pickle pickle;
};

std::string refusal(std::string_view opcodes) {
  return error_of([&] { Run run(opcodes); });
}

bool says(const std::string& message, std::string_view words) {
  return message.find(words) != std::string::npos;
}

int64_t integer(std::string_view opcodes) {
  const Run run(opcodes);
  CHECK(run.root().kind == PickleKind::integer);
  return run.root().integer;
}

std::string text(std::string_view letters) {
  return PickleWriter().text(letters).finish().substr(2, 5 + letters.size());
}

}  // namespace

TEST_CASE("scalars") {
  using namespace std::string_view_literals;
  CHECK(integer("K\xff.") == 255);
  CHECK(integer("M\x01\x02.") == 0x0201);
  CHECK(integer("J\xff\xff\xff\xff.") == -1);
  CHECK(integer("\x8a\x00."sv) == 0);
  CHECK(integer("\x8a\x01\xff.") == -1);
  CHECK(integer("\x8a\x02\xff\x00."sv) == 255);
  CHECK(integer("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."sv) == INT64_MIN);
  CHECK(says(refusal("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."sv), "more than 64 bits"));
  CHECK(Run("N.").root().kind == PickleKind::none);
  CHECK(Run("\x88.").root().integer == 1);
  CHECK(Run("\x89.").root().integer == 0);
  CHECK(Run("G\x3f\xf8\x00\x00\x00\x00\x00\x00."sv).root().real == 1.5);
  CHECK(Run("\x8c\x02hi.").root().text == "hi");
  CHECK(Run(text("hi") + ".").root().text == "hi");
  CHECK(says(refusal("\x8c\x01\xff."), "byte 2: a str that is not valid UTF-8"));
}

TEST_CASE("containers and the memo") {
  const Run tuple("N\x88\x89\x87.");
  CHECK(tuple.root().kind == PickleKind::tuple);
  CHECK(tuple.root().items.size() == 3);
  const Run list(
      "](K\x01K\x02"
      "eK\x03"
      "a.");
  REQUIRE(list.root().items.size() == 3);
  CHECK(list.pickle[list.root().items[2]].integer == 3);
  const Run dict("}q\x07(" + text("a") + "K\x01u" + text("b") + "h\x07s.");
  REQUIRE(dict.root().items.size() == 4);
  CHECK(&dict.pickle[dict.root().items[3]] == &dict.root());  // refers to the dict itself
  using namespace std::string_view_literals;
  const Run memoized("K\x05\x94K\x06\x94h\x00\x87."sv);  // (5, 6, the first remembered)
  REQUIRE(memoized.root().items.size() == 3);
  CHECK(memoized.pickle[memoized.root().items[2]].integer == 5);
  const Run far("Nr\xff\xff\x03\x00j\xff\xff\x03\x00\x86."sv);
  CHECK(far.root().items[0] == far.root().items[1]);
  CHECK(says(refusal("Nr\xff\xff\xff\xff."), "memo index"));
  CHECK(says(refusal("h\x00."sv), "nothing was remembered as 0"));
  CHECK(says(refusal("Nq\x02h\x01."), "nothing was remembered as 1"));
  CHECK(says(refusal("q\x00."sv), "nothing to remember"));
}

TEST_CASE("a framed pickle of protocol 4 reads, and a frame beyond the end does not") {
  using namespace std::string_view_literals;
  CHECK(integer("\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x01."sv) == 1);
  CHECK(says(refusal("\x95\x04\x00\x00\x00\x00\x00\x00\x00K\x01."sv), "frame beyond"));
}

TEST_CASE("the stack is never taken below its mark or its bottom") {
  for (const char* opcodes : {".",
                              "NN.",
                              "(.",
                              "N(.",
                              "a.",
                              "]a.",
                              "N(\x85.",
                              "N(a.",
                              "e.",
                              "]e.",
                              "t.",
                              "s.",
                              "}s.",
                              "}Ns.",
                              "u.",
                              "}(Nu.",
                              "Q.",
                              "R.",
                              "NR.",
                              "NNR.",
                              "b.",
                              "}b.",
                              "N}b.",
                              "}Nb.",
                              "\x93.",
                              "NN\x93.",
                              "(](N.",
                              "N]a.",
                              "NK\x01"
                              "a.",
                              "](K\x01u.",
                              "}(K\x01"
                              "e."}) {
    CAPTURE(opcodes);
    CHECK_THROWS_AS(Run{opcodes}, kinglet::Error);
  }
  CHECK(says(refusal("N.N"), "bytes follow STOP"));
}

TEST_CASE("every byte is either an opcode of the list or refused by its name and offset") {
  const std::string allowed = "()}].JKMNQRXabcehjqrstuG\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95";
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    std::string opcodes = "]N";
    opcodes += static_cast<char>(byte);
    opcodes += std::string(16, '\0');
    const std::string message = refusal(opcodes);
    const bool refused =
        says(message, "data.pkl: byte 4: the pickle opcode ") && says(message, "not on the allow-list");
    CHECK(refused == (allowed.find(static_cast<char>(byte)) == std::string::npos));
  }
  CHECK(says(refusal("i"), "opcode INST (0x69)"));
  CHECK(says(refusal("\x81"), "opcode NEWOBJ (0x81)"));
  CHECK(says(refusal("\x80"), "opcode PROTO (0x80)"));
  CHECK(says(refusal("\xfe"), "opcode unknown (0xfe)"));
}

TEST_CASE("a global outside the list is refused by name, whichever opcode names it") {
  CHECK(says(refusal("cos\nsystem\n."), "byte 2: the global \"os.system\" is not on the allow-list"));
  CHECK(says(refusal("\x8c\x02os\x8c\x06system\x93."), "byte 14: the global \"os.system\""));
  CHECK(says(refusal("ccollections\nOrderedDict.x\n."), "not on the allow-list"));
  CHECK(says(refusal("ccollections.OrderedDict\n\n."), "not on the allow-list"));
  CHECK(says(refusal("c\n" + std::string(100'000, 'x') + "\n."), "...\""));
  CHECK(Run("ctorch\nFloatStorage\n.").root().text == "torch.FloatStorage");
  CHECK(Run("\x8c\x05torch\x8c\x0c"
            "FloatStorage\x93.")
            .root()
            .text == "torch.FloatStorage");
}

TEST_CASE("nothing is called: REDUCE records, and an OrderedDict is a dict") {
  const Run call("ctorch\nFloatStorage\nK\x01\x85R.");
  CHECK(call.root().kind == PickleKind::call);
  CHECK(Run("ccollections\nOrderedDict\n)R.").root().kind == PickleKind::dict);
  CHECK(Run("ccollections\nOrderedDict\n)R}b.").root().kind == PickleKind::dict);
  CHECK(says(refusal("ccollections\nOrderedDict\n]\x85R."), "without arguments"));
  CHECK(says(refusal("ctorch\nFloatStorage\n)R}b."), "BUILD expects a dict"));
}

TEST_CASE("protocols 2 to 5 and nothing else") {
  for (int protocol = 0; protocol < 256; ++protocol) {
    const std::string bytes{'\x80', static_cast<char>(protocol), 'N', '.'};
    const auto read = [&] { read_pickle(exact_bytes(bytes), "data.pkl", {}); };
    if (protocol >= 2 && protocol <= 5) {
      CHECK_NOTHROW(read());
    } else {
      CHECK(says(error_of(read), "expected a pickle of protocol 2 to 5, got " + std::to_string(protocol)));
    }
  }
  CHECK(says(error_of([] { read_pickle({}, "data.pkl", {}); }), "expected a pickle"));
  CHECK(says(error_of([] { read_pickle(exact_bytes("(dp0\n."), "data.pkl", {}); }), "expected a pickle"));
}

TEST_CASE("opcodes and bytes are limited") {
  CHECK(says(refusal(std::string(kMaxPickleOpcodes + 1, ']')), "more than 262144 opcodes"));
  CHECK(says(refusal(std::string(kMaxPickleBytes, ']')), "more than 8388608 bytes"));
}

TEST_CASE("a list that contains itself, and a tuple nested 100,000 deep, are only values") {
  CHECK(Run(std::string("]q\0h\0a.", 7)).root().kind == PickleKind::list);
  CHECK(Run("N" + std::string(100'000, '\x85') + ".").root().kind == PickleKind::tuple);
}
