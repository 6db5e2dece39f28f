#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kinglet/model.h"

#include "arguments.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

struct Arguments {
  std::filesystem::path model;
  bool json = false;
};

void run(const Arguments& arguments) {
  const Model model = Model::open(arguments.model, {.verify = true});
  const fbs::Model& header = model.file().header();
  const std::string isa(kernels::isa_name(model.isa()));
  if (arguments.json) {
    const nlohmann::ordered_json json = {{"file", model.file().path()},
                                         {"ok", true},
                                         {"file_bytes", model.file().file_length()},
                                         {"tensors", header.tensors()->size()},
                                         {"self_tests", header.self_tests()->size()},
                                         {"isa", isa}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}: ok ({} tensors, {} bytes; {} self-tests gave their bits on {})\n", model.file().path(),
               header.tensors()->size(), model.file().file_length(), header.self_tests()->size(), isa);
  }
}

}  // namespace

void add_verify(Verb program) {
  Verb verb = program.add_verb(
      "verify", "Check a model file in full: structure, checksums, finite values, self-tests on this CPU");
  auto arguments = std::make_shared<Arguments>();
  verb.option("model", arguments->model, "Model file").required();
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
