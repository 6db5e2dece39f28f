#include "kinglet/converter/vocabulary.h"

#include "converter/checkpoint_bytes.h"
#include "support/checkpoint_writer.h"
#include "support/support.h"

namespace {

using namespace kinglet::converter;
using kinglet::test::error_of;
using kinglet::test::exact_bytes;
using kinglet::test::PickleWriter;

CodebookJson codebook(std::string_view json) {
  return read_codebook(exact_bytes(json), "codes.json");
}
LanguageTable languages(std::string_view bytes) {
  return read_languages(exact_bytes(bytes), "languages");
}

std::string codebook_refusal(std::string_view json) {
  return error_of([&] { codebook(json); });
}
std::string language_refusal(std::string_view bytes) {
  return error_of([&] { languages(bytes); });
}

bool says(const std::string& message, std::string_view words) {
  return message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("codebook: codes lie by token id, absent tokens hold no code") {
  const CodebookJson read = codebook(R"( {"2": [5, 6], "0":[4294967294,0]} )");
  CHECK(read.depth == 2);
  CHECK(read.token_limit == 3);
  constexpr uint32_t none = CodebookJson::kNoCode;
  CHECK(read.codes == std::vector<uint32_t>{4294967294U, 0, none, none, 5, 6});
}

TEST_CASE("codebook: an empty object has depth 0") {
  const CodebookJson read = codebook("{}");
  CHECK(read.depth == 0);
  CHECK(read.token_limit == 0);
  CHECK(read.codes.empty());
}

TEST_CASE("codebook: anything else is refused with its token") {
  CHECK(says(codebook_refusal(R"({"1":[1],"1":[1]})"), "codes.json: token \"1\" stands twice"));
  CHECK(says(codebook_refusal(R"({"01":[1]})"),
             "token \"01\": expected a decimal token id of at most 16777215"));
  CHECK(says(codebook_refusal(R"({"-1":[1]})"), "decimal token id"));
  CHECK(says(codebook_refusal(R"({"":[1]})"), "decimal token id"));
  CHECK(says(codebook_refusal(R"({"1 ":[1]})"), "decimal token id"));
  CHECK(says(codebook_refusal(R"({"16777216":[1]})"), "decimal token id"));
  CHECK(says(codebook_refusal(R"({"99999999999999999999":[1]})"), "decimal token id"));
  CHECK(says(codebook_refusal(R"({"1":[]})"), "token \"1\": expected at least one code, got 0"));
  CHECK(says(codebook_refusal(R"({"1":[1,2],"2":[1]})"), "token \"2\": expected 2 codes as before, got 1"));
  CHECK(says(codebook_refusal(R"({"1":[1,2],"2":[1,2,3]})"), "got 3"));
  CHECK(says(codebook_refusal(R"({"1":[4294967295]})"), "at most 4294967294, got 4294967295"));
  CHECK(says(codebook_refusal(R"({"1":[-1]})"), "expected a code of 0 or more, got a negative number"));
  CHECK(says(codebook_refusal(R"({"1":[1.0]})"), "no integer"));
  CHECK(says(codebook_refusal(R"({"1":[1e3]})"), "no integer"));
  CHECK(says(codebook_refusal(R"({"1":["1"]})"), "got a string"));
  CHECK(says(codebook_refusal(R"({"1":[[1]]})"), "got a list"));
  CHECK(says(codebook_refusal(R"({"1":[{}]})"), "got an object"));
  CHECK(says(codebook_refusal(R"({"1":{}})"), "token \"1\": expected a list of codes, got an object"));
  CHECK(says(codebook_refusal(R"({"1":1})"), "expected a list of codes, got a number"));
  CHECK(says(codebook_refusal(R"({"1":null})"), "got null"));
  CHECK(says(codebook_refusal(R"({"1":[true]})"), "got a boolean"));
  CHECK(says(codebook_refusal(R"([1])"), "expected an object of code lists by token id, got a list"));
  CHECK(says(codebook_refusal("5"), "got a number"));
  CHECK(says(codebook_refusal(""), "expected valid JSON"));
  CHECK(says(codebook_refusal(R"({"1":[NaN]})"), "byte 7: expected valid JSON"));
  CHECK(says(codebook_refusal(R"({"1":[1]}{})"), "expected valid JSON"));
  CHECK(says(codebook_refusal(R"({"1":[1],})"), "expected valid JSON"));
  CHECK(says(codebook_refusal("{\"\xc3\x28\":[1]}"), "expected valid JSON in UTF-8"));
  CHECK(says(codebook_refusal(std::string(1 << 20, '[')), "got a list"));
}

TEST_CASE("codebook: ids too sparse for the file's size are refused") {
  CHECK(codebook(R"({"100000":[1,2]})").codes.size() == 200'002);
  CHECK(says(codebook_refusal(R"({"16777215":[1]})"), "too sparse: the largest is 16777215 among 1"));
}

TEST_CASE("languages: JSON and pickles give the same table, ordered by row") {
  const LanguageTable expected{{"B", 0}, {"\xc3\xa9", 3}, {"A", 65535}};
  CHECK(languages(R"({"A": 65535, "B": 0, "é": 3})") == expected);
  const auto pickle = PickleWriter()
                          .raw("}(")
                          .text("A")
                          .raw("M\xff\xff")
                          .text("B")
                          .raw("K")
                          .raw({"\0", 1})
                          .text("\xc3\xa9")
                          .integer(3);
  CHECK(languages(PickleWriter(pickle).raw("u").finish()) == expected);
  CHECK(languages("{}").empty());
  CHECK(languages(PickleWriter().raw("}").finish()).empty());
  // As Python's pickle.dumps({"en": 0, "fr": 1}, 4) writes it.
  CHECK(languages(std::string("\x80\x04\x95\x13\0\0\0\0\0\0\0}\x94(\x8c\x02"
                              "en\x94K\0\x8c\x02"
                              "fr\x94K\x01u.",
                              30)) == LanguageTable{{"en", 0}, {"fr", 1}});
}

TEST_CASE("languages: anything else is refused with the language") {
  CHECK(says(language_refusal(R"({"A":0,"A":1})"), "languages: language \"A\": this language stands twice"));
  CHECK(says(language_refusal(R"({"A":0,"B":0})"), "language \"B\": row 0 has another language already"));
  CHECK(says(language_refusal(R"({"A":65536})"), "a row of at most 65535"));
  CHECK(
      says(language_refusal(R"({"A":-1})"), "language \"A\": expected a row number, got a negative number"));
  CHECK(says(language_refusal(R"({"A":"0"})"), "got a string"));
  CHECK(says(language_refusal(R"({"A":{}})"), "got an object"));
  CHECK(says(language_refusal(R"({"A":[0]})"), "got a list"));
  CHECK(says(language_refusal(R"("A")"), "expected an object of rows by language, got a string"));
  CHECK(says(language_refusal("0"), "got a number"));
  CHECK(says(language_refusal("{\"" + std::string(257, 'A') + "\":0}"), "a name of at most 256 bytes"));
  CHECK(says(language_refusal("{\"\xff\":0}"), "UTF-8"));
  CHECK(says(language_refusal(""), "expected valid JSON"));
  const auto pickled = [](const PickleWriter& pickle) { return language_refusal(pickle.finish()); };
  CHECK(says(pickled(PickleWriter().raw("]")), "expected a dict of rows by language, got a list"));
  CHECK(says(pickled(PickleWriter().raw("}NNs")), "expected a language to be a str, got None"));
  CHECK(says(pickled(PickleWriter().raw("}").text("A").raw("Ns")), "language \"A\": expected a row number"));
  CHECK(says(pickled(PickleWriter().raw("}").text("A").integer(-1).raw("s")), "expected a row number"));
  CHECK(
      says(pickled(PickleWriter().raw("}(").text("A").raw("K\x01").text("A").raw("K\x02u")), "stands twice"));
  CHECK(says(pickled(PickleWriter().raw("}").text("A").global("numpy", "int64").raw("s")),
             "the global \"numpy.int64\""));
  CHECK(says(pickled(PickleWriter().global("collections", "OrderedDict").raw(")R")),
             "the global \"collections.OrderedDict\""));
}
