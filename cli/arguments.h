#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kinglet::cli {

/// One option of a verb, to say more about it. A CLI::Option by another name: CLI11 is all in headers and
/// takes a compiler seconds a file, under the sanitizers ten, so arguments.cpp alone sees it.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required() const;
  /// The help shows the value that the variable has now.
  Option show_default() const;
  /// Type: int, unsigned, uint64_t or double, as the help shows the range.
  template <typename T>
  Option range(T least, T most) const;
  Option not_negative() const;
  /// Also takes 512K, 64M, 1G: powers of 1024.
  Option bytes() const;
  Option one_of(const std::vector<std::string>& words) const;
  Option separated_by(char delimiter) const;
  /// What the help shows after the name in place of type and checks.
  Option shown_as(const std::string& text) const;
  /// Only together with the other one.
  Option needs(const Option& other) const;
  /// Not together with the option of this name, which must exist.
  Option excludes(const std::string& name) const;

 private:
  CLI::Option* option_;
};

/// A verb, or a group of verbs. Variables that options write to must outlive Program::run().
class Verb {
 public:
  explicit Verb(CLI::App* app) : app_(app) {}

  Verb add_verb(const std::string& name, const std::string& help);
  /// One of the verbs must be given.
  void require_verb();
  /// Options of which exactly one must be given, under a heading of their own: add them to what is returned.
  Verb exactly_one(const std::string& heading, const std::string& help);
  /// What the verb does.
  void action(std::function<void()> run);

  /// `name`: "--long", "-s,--long", or a word for what stands without a name. The value's types: those at the
  /// end of arguments.cpp.
  template <typename T>
  Option option(const std::string& name, T& value, const std::string& help = {});
  /// --NAME alone.
  Option flag(const std::string& name, bool& value, const std::string& help);
  /// --NAME and --no-NAME; `value` stays empty where neither is given.
  Option flag_or_not(const std::string& name, std::optional<bool>& value, const std::string& help);
  /// An enumerator by its word.
  template <typename Enum>
  Option choice(const std::string& name, Enum& value, const std::vector<std::pair<std::string, Enum>>& words,
                const std::string& help);

 private:
  using TakeWord = std::function<void(size_t place)>;
  Option word(const std::string& name, const std::vector<std::string>& words, TakeWord take,
              const std::string& help);

  CLI::App* app_;
};

/// A program's command line.
class Program {
 public:
  /// `version`: what --version prints; none if empty.
  Program(const std::string& name, const std::string& help, const std::string& version = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  Verb verb() { return Verb(app_.get()); }
  /// Sets the variables and acts. False if the arguments are wrong, which standard error then tells. Throws
  /// what the actions throw.
  bool run(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

template <typename Enum>
Option Verb::choice(const std::string& name, Enum& value,
                    const std::vector<std::pair<std::string, Enum>>& words, const std::string& help) {
  std::vector<std::string> names;
  std::vector<Enum> values;
  for (const auto& [word, enumerator] : words) {
    names.push_back(word);
    values.push_back(enumerator);
  }
  return word(
      name, names, [&value, values](size_t place) { value = values[place]; }, help);
}

}  // namespace kinglet::cli
