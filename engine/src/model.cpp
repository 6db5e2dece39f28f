#include "kinglet/model.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "kinglet/formats/error.h"
#include "kinglet/session.h"

#include "model_impl.h"
#include "self_test.h"

namespace kinglet {
namespace {

using formats::ModelFile;
using kernels::Isa;

std::string isa_list() {
  std::string list;
  for (const Isa isa : kernels::built_isas()) {
    if (!kernels::supported(isa)) continue;
    if (!list.empty()) list += ", ";
    list += kernels::isa_name(isa);
  }
  return list;
}

/// $KINGLET_ISA, if set; a name this build does not know is an error rather than a silent default.
std::optional<Isa> isa_from_environment() {
  const char* name = std::getenv("KINGLET_ISA");
  if (name == nullptr || *name == '\0') return std::nullopt;
  const std::optional<Isa> isa = kernels::isa_from_name(name);
  if (!isa) throw Error("KINGLET_ISA", "", "'" + std::string(name) + "' is not one of: " + isa_list());
  return isa;
}

const kernels::KernelTable* choose_kernels(const OpenOptions& options) {
  const std::optional<Isa> asked = options.isa ? options.isa : isa_from_environment();
  const Isa isa = asked.value_or(kernels::best_isa());
  const kernels::KernelTable* table = kernels::table_of(isa);
  if (table == nullptr || !kernels::supported(isa)) {
    throw Error("KINGLET_ISA", "",
                "this CPU lacks '" + std::string(kernels::isa_name(isa)) + "'; it has: " + isa_list());
  }
  return table;
}

constexpr std::string_view kPrecisions[] = {"fp32", "bf16", "fp16", "int8", "mixed", "int4"};

void check_meaning(const ModelFile& file) {
  const fbs::Model& header = file.header();
  const std::string_view precision = header.precision()->string_view();
  if (std::find(std::begin(kPrecisions), std::end(kPrecisions), precision) == std::end(kPrecisions)) {
    throw Error(file.path(), "header",
                "precision '" + header.precision()->str() + "' is unknown to this build");
  }
  const auto& targets = *header.targets();
  bool same = targets.size() == kTargets;
  for (unsigned i = 0; same && i < targets.size(); ++i)
    same = targets.Get(i)->string_view() == kTargetNames[i];
  if (!same) throw Error(file.path(), "header", "expected the targets like, retweet, quote, reply");
}

std::shared_ptr<const ModelImpl> make_model(std::unique_ptr<const formats::HugePageCopy> copy, ModelFile file,
                                            const OpenOptions& options) {
  check_meaning(file);
  const kernels::KernelTable* table = choose_kernels(options);
  Plan plan = resolve_plan(file);
  Layout layout = resolve_layout(file, plan.tables);
  tsl::robin_map<std::string_view, uint32_t> languages;
  for (const fbs::Language* language : *file.header().languages()) {
    if (!languages.emplace(language->name()->string_view(), language->category()).second) {
      throw Error(file.path(), "languages", "'" + language->name()->str() + "' stands twice");
    }
  }
  const uint32_t unknown = file.header().unknown_language();
  return std::make_shared<const ModelImpl>(ModelImpl{std::move(copy), std::move(file), table, std::move(plan),
                                                     std::move(layout), std::move(languages), unknown});
}

}  // namespace

Model Model::open(const std::filesystem::path& path, const OpenOptions& options) {
  if (!options.huge_pages) return finish(make_model(nullptr, ModelFile(path), options), options);
  const formats::MappedFile file(path);
  auto copy = std::make_unique<const formats::HugePageCopy>(file.bytes());
  ModelFile in_memory(copy->bytes(), file.path());
  return finish(make_model(std::move(copy), std::move(in_memory), options), options);
}

Model Model::finish(std::shared_ptr<const ModelImpl> impl, const OpenOptions& options) {
  Model model(std::move(impl));
  if (options.verify) model.verify();
  return model;
}

Model Model::from_memory(std::span<const std::byte> bytes, const std::string& name,
                         const OpenOptions& options) {
  return finish(make_model(nullptr, ModelFile(bytes, name), options), options);
}

uint64_t Model::warm_up() const noexcept {
  constexpr size_t kPage = 4096;
  const std::span<const std::byte> bytes = impl_->file.bytes();
  // Volatile: the compiler may not leave out reads whose result nobody looks at.
  const volatile std::byte* data = bytes.data();
  for (size_t i = 0; i < bytes.size(); i += kPage) static_cast<void>(data[i]);
  return bytes.size();
}

void Model::verify() const {
  impl_->file.verify_tensors();
  check_codebook(*this);
  run_self_tests(*this);
}

kernels::Isa Model::isa() const noexcept {
  return impl_->kernels->isa;
}
const formats::ModelFile& Model::file() const noexcept {
  return impl_->file;
}
size_t Model::numeric_count() const noexcept {
  return impl_->layout.numerics.size();
}
size_t Model::flag_count() const noexcept {
  return impl_->layout.flags.size();
}
size_t Model::category_count() const noexcept {
  return impl_->layout.embeddings.size();
}
uint32_t Model::categories(size_t i) const noexcept {
  return impl_->layout.embeddings[i].categories;
}

uint32_t Model::language_category(std::string_view language) const noexcept {
  const auto found = impl_->languages.find(language);
  return found != impl_->languages.end() ? found->second : impl_->unknown_language;
}

}  // namespace kinglet
