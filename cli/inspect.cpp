#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "kinglet/formats/model_file.h"

#include "arguments.h"
#include "verbs.h"

namespace kinglet::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  std::filesystem::path model;
  bool json = false;
};

std::string packing_text(const fbs::Tensor& tensor) {
  const std::string first = tensor.narrow() == 0
                                ? ""
                                : fmt::format(", {} of {} bit{}", tensor.narrow(), tensor.narrow_bits(),
                                              tensor.narrow_bits() == 1 ? "" : "s");
  if (tensor.packing() == fbs::Packing::bundles)
    return fmt::format("bundles of {} rows{}", tensor.panel(), first);
  if (tensor.packing() == fbs::Packing::split) return "rows" + first;
  if (tensor.packing() != fbs::Packing::rows)
    return fmt::format("{} of {}", fbs::EnumNamePacking(tensor.packing()), tensor.panel());
  const uint64_t columns = tensor.shape()->Get(tensor.shape()->size() - 1);
  return tensor.padded_columns() == columns ? "rows"
                                            : fmt::format("rows padded to {}", tensor.padded_columns());
}

const char* type_text(const fbs::Tensor& tensor) {
  return fbs::EnumNameElementType(tensor.type());
}

std::string optional_text(const flatbuffers::String* text) {
  return text == nullptr ? "" : text->str();
}

ordered_json tensor_json(const fbs::Tensor& tensor) {
  return {{"name", tensor.name()->str()},
          {"type", type_text(tensor)},
          {"shape", std::vector<uint64_t>(tensor.shape()->begin(), tensor.shape()->end())},
          {"packing", packing_text(tensor)},
          {"offset", tensor.offset()},
          {"bytes", tensor.length()},
          {"xxh3_128", formats::to_hex({tensor.checksum_low(), tensor.checksum_high()})}};
}

ordered_json layout_json(const fbs::FeatureLayout& layout) {
  ordered_json json = {{"name", layout.name()->str()}, {"inputs", layout.inputs()}};
  if (layout.token_mean() != nullptr) {
    json["token_mean"] = {{"dimensions", layout.token_mean()->dimensions()}};
  } else {
    json["sketch"] = {{"depth", layout.sketch()->depth()}, {"width", layout.sketch()->width()}};
  }
  for (const fbs::Numeric* numeric : *layout.numerics()) {
    const fbs::Encoding* encoding = layout.encodings()->Get(numeric->encoding());
    json["numerics"].push_back({{"name", numeric->name()->str()}, {"encoding", encoding->name()->str()}});
  }
  for (const fbs::Flag* flag : *layout.flags()) json["flags"].push_back(flag->name()->str());
  for (const fbs::Embedding* embedding : *layout.embeddings()) {
    json["embeddings"].push_back(
        {{"name", embedding->name()->str()}, {"categories", embedding->categories()}});
  }
  return json;
}

ordered_json plan_json(const fbs::Plan& plan) {
  ordered_json json = {{"name", plan.name()->str()}, {"rows", plan.rows()->str()}};
  for (const fbs::Block* block : *plan.blocks()) {
    json["blocks"].push_back({{"name", block->name()->str()}, {"width", block->width()}});
  }
  for (const fbs::Step* step : *plan.steps()) {
    ordered_json addends = ordered_json::array();
    if (step->addends() != nullptr) {
      for (const fbs::Addend* addend : *step->addends()) addends.push_back(addend->value()->str());
    }
    json["steps"].push_back(
        {{"name", step->name()->str()},
         {"input", step->input()->str()},
         {"weights", optional_text(step->weights())},
         {"addends", addends},
         {"activation", step->activation() == fbs::Activation::leaky_relu ? "leaky_relu" : "none"}});
  }
  return json;
}

ordered_json provenance_json(const fbs::Provenance& provenance) {
  ordered_json json = {{"converter", provenance.converter()->str()},
                       {"options", provenance.options()->str()}};
  for (const fbs::Source* source : *provenance.sources()) {
    json["sources"].push_back(
        {{"role", source->role()->str()},
         {"format", source->format()->str()},
         {"bytes", source->bytes()},
         {"xxh3_128", formats::to_hex({source->checksum_low(), source->checksum_high()})}});
  }
  return json;
}

ordered_json model_json(const formats::ModelFile& file) {
  const fbs::Model& header = file.header();
  ordered_json json = {{"file", file.path()},
                       {"format_version", header.format_version()},
                       {"file_bytes", file.file_length()},
                       {"header_bytes", file.header_length()},
                       {"precision", header.precision()->str()},
                       {"parameters", header.parameters()},
                       {"layout", layout_json(*header.layout())},
                       {"plan", plan_json(*header.plan())},
                       {"languages", header.languages()->size()},
                       {"self_tests", header.self_tests()->size()},
                       {"provenance", provenance_json(*header.provenance())}};
  for (const fbs::Tensor* tensor : *header.tensors()) json["tensors"].push_back(tensor_json(*tensor));
  return json;
}

void print_steps(const fbs::Plan& plan) {
  for (const fbs::Block* block : *plan.blocks()) {
    fmt::print("  {:<12} = first layer, {} outputs\n", block->name()->str(), block->width());
  }
  for (const fbs::Step* step : *plan.steps()) {
    std::string line = step->weights() == nullptr
                           ? step->input()->str()
                           : fmt::format("{} x {} + bias", step->weights()->str(), step->input()->str());
    if (step->addends() != nullptr) {
      for (const fbs::Addend* addend : *step->addends()) {
        line += addend->scale() == nullptr ? " + " + addend->value()->str()
                                           : fmt::format(" + {} x {} + {}", addend->scale()->str(),
                                                         addend->value()->str(), addend->shift()->str());
      }
    }
    const bool leaky = step->activation() == fbs::Activation::leaky_relu;
    fmt::print("  {:<12} = {}{}{}\n", step->name()->str(), leaky ? "leaky(" : "", line, leaky ? ")" : "");
  }
}

void print_text(const formats::ModelFile& file) {
  const fbs::Model& header = file.header();
  const fbs::FeatureLayout& layout = *header.layout();
  fmt::print("{}: kinglet model, format {}, {}, {} bytes ({} of header)\n", file.path(),
             header.format_version(), header.precision()->str(), file.file_length(), file.header_length());
  const std::string text =
      layout.token_mean() != nullptr
          ? fmt::format("mean of token vectors of {}", layout.token_mean()->dimensions())
          : fmt::format("sketch {} x {}", layout.sketch()->depth(), layout.sketch()->width());
  fmt::print("layout {}: {} inputs = {}, {} numeric features, {} flags", layout.name()->str(),
             layout.inputs(), text, layout.numerics()->size(), layout.flags()->size());
  for (const fbs::Embedding* embedding : *layout.embeddings()) {
    fmt::print(", {} ({})", embedding->name()->str(), embedding->categories());
  }
  fmt::print("\n{} parameters, {} languages, {} self-tests\n", header.parameters(),
             header.languages()->size(), header.self_tests()->size());
  fmt::print("plan {}\n", header.plan()->name()->str());
  print_steps(*header.plan());
  fmt::print("tensors\n  {:<20} {:<4} {:<16} {:<35} {:>12} {:>12}  {}\n", "name", "type", "shape", "packing",
             "offset", "bytes", "xxh3-128");
  for (const fbs::Tensor* tensor : *header.tensors()) {
    const std::vector<uint64_t> shape(tensor->shape()->begin(), tensor->shape()->end());
    fmt::print("  {:<20} {:<4} {:<16} {:<35} {:>12} {:>12}  {}\n", tensor->name()->str(), type_text(*tensor),
               fmt::format("{}", shape), packing_text(*tensor), tensor->offset(), tensor->length(),
               formats::to_hex({tensor->checksum_low(), tensor->checksum_high()}));
  }
  const fbs::Provenance& provenance = *header.provenance();
  fmt::print("made by {} ({})\n", provenance.converter()->str(), provenance.options()->str());
  for (const fbs::Source* source : *provenance.sources()) {
    fmt::print("  {:<20} {:>12} bytes  {}  {}\n", source->role()->str(), source->bytes(),
               formats::to_hex({source->checksum_low(), source->checksum_high()}), source->format()->str());
  }
}

void run(const Arguments& arguments) {
  const formats::ModelFile file(arguments.model);
  if (arguments.json) {
    fmt::print("{}\n", model_json(file).dump(2));
  } else {
    print_text(file);
  }
}

}  // namespace

void add_inspect(Verb program) {
  Verb verb = program.add_verb("inspect", "Show what a model file holds");
  auto arguments = std::make_shared<Arguments>();
  verb.option("model", arguments->model, "Model file").required();
  verb.flag("--json", arguments->json, "Report as JSON");
  verb.action([arguments] { run(*arguments); });
}

}  // namespace kinglet::cli
