#include "arguments.h"

#include <filesystem>

#include <CLI/CLI.hpp>

namespace kinglet::cli {

Option Option::required() const {
  option_->required();
  return *this;
}

Option Option::show_default() const {
  option_->capture_default_str();
  return *this;
}

template <typename T>
Option Option::range(T least, T most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::not_negative() const {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Option Option::bytes() const {
  option_->transform(CLI::AsSizeValue(false));
  return *this;
}

Option Option::one_of(const std::vector<std::string>& words) const {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option Option::separated_by(char delimiter) const {
  option_->delimiter(delimiter);
  return *this;
}

Option Option::shown_as(const std::string& text) const {
  option_->option_text(text);
  return *this;
}

Option Option::needs(const Option& other) const {
  option_->needs(other.option_);
  return *this;
}

Option Option::excludes(const std::string& name) const {
  option_->excludes(name);
  return *this;
}

Verb Verb::add_verb(const std::string& name, const std::string& help) {
  return Verb(app_->add_subcommand(name, help));
}

void Verb::require_verb() {
  app_->require_subcommand(1);
}

Verb Verb::exactly_one(const std::string& heading, const std::string& help) {
  CLI::Option_group* group = app_->add_option_group(heading, help);
  group->require_option(1);
  return Verb(group);
}

void Verb::action(std::function<void()> run) {
  app_->callback(std::move(run));
}

template <typename T>
Option Verb::option(const std::string& name, T& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Verb::flag(const std::string& name, bool& value, const std::string& help) {
  return Option(app_->add_flag(name, value, help));
}

// CLI11 would set an optional<bool> where neither is given, too.
Option Verb::flag_or_not(const std::string& name, std::optional<bool>& value, const std::string& help) {
  const auto take = [&value](int64_t count) { value = count > 0; };
  return Option(app_->add_flag_function("--" + name + ",!--no-" + name, take, help));
}

Option Verb::word(const std::string& name, const std::vector<std::string>& words, TakeWord take,
                  const std::string& help) {
  const auto take_word = [words, take = std::move(take)](const std::string& given) {
    take(static_cast<size_t>(std::find(words.begin(), words.end(), given) - words.begin()));
  };
  return Option(app_->add_option_function<std::string>(name, take_word, help)).one_of(words);
}

Program::Program(const std::string& name, const std::string& help, const std::string& version)
    : app_(std::make_unique<CLI::App>(help, name)) {
  if (!version.empty()) app_->set_version_flag("--version", version);
}

Program::~Program() = default;

bool Program::run(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0;  // --help and --version come this way too
  }
  return true;
}

// The types that options have.

template Option Option::range(int, int) const;
template Option Option::range(unsigned, unsigned) const;
template Option Option::range(uint64_t, uint64_t) const;
template Option Option::range(double, double) const;

template Option Verb::option(const std::string&, std::string&, const std::string&);
template Option Verb::option(const std::string&, std::filesystem::path&, const std::string&);
template Option Verb::option(const std::string&, std::vector<std::string>&, const std::string&);
template Option Verb::option(const std::string&, std::vector<std::filesystem::path>&, const std::string&);
template Option Verb::option(const std::string&, uint32_t&, const std::string&);
template Option Verb::option(const std::string&, uint64_t&, const std::string&);
template Option Verb::option(const std::string&, double&, const std::string&);
template Option Verb::option(const std::string&, std::optional<std::string>&, const std::string&);
template Option Verb::option(const std::string&, std::optional<uint32_t>&, const std::string&);
template Option Verb::option(const std::string&, std::optional<uint64_t>&, const std::string&);
template Option Verb::option(const std::string&, std::optional<double>&, const std::string&);

}  // namespace kinglet::cli
