#include "checkpoint.h"

#include <cstring>
#include <span>

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include "kinglet/formats/error.h"
#include "kinglet/formats/file.h"

namespace kinglet::train {
namespace {

// "KGLTRAIN", length of the JSON text (u64), the text, zeros up to a multiple of 64, the arrays one after the
// other, and XXH3-128 of all of it.
constexpr std::string_view kMagic = "KGLTRAIN";
constexpr size_t kAlignment = 64;
constexpr int kVersion = 2;

using nlohmann::ordered_json;

std::vector<std::span<float>> arrays(Network& network, Optimiser& optimiser) {
  const auto all = [](Buffer<float>& buffer) { return std::span<float>(buffer.data(), buffer.size()); };
  std::vector<std::span<float>> result{all(network.parameters()), all(optimiser.first_moments()),
                                       all(optimiser.second_moments())};
  for (size_t i = 0; i < kNorms; ++i) {
    result.push_back(all(network.statistics().mean[i]));
    result.push_back(all(network.statistics().variance[i]));
  }
  return result;
}

size_t padded(size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

/// A file that is hashed as it is written.
class HashedFile {
 public:
  explicit HashedFile(const std::filesystem::path& path) : file_(path) { XXH3_128bits_reset(&state_); }
  void write(const void* data, size_t size) {
    XXH3_128bits_update(&state_, data, size);
    file_.write(data, size);
  }
  void commit() {
    const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
    file_.write(&hash, sizeof hash);
    file_.commit();
  }

 private:
  formats::AtomicFile file_;
  XXH3_state_t state_;
};

[[noreturn]] void fail(const std::filesystem::path& path, const char* message) {
  throw Error(path.string(), "", message);
}

void check_identity(const std::filesystem::path& path, const ordered_json& stored, const Identity& identity) {
  for (const auto& [name, value] : identity) {
    const std::string other = stored.value(name, "nothing");
    if (other == value) continue;
    throw Error(path.string(), name,
                "the training to be continued had " + other + ", this one has " + value +
                    "; give the same options and rows, another folder, or remove this file");
  }
}

/// The text and what follows it, once length and checksum are as they should be.
std::pair<std::string_view, size_t> checked_text(const std::filesystem::path& path,
                                                 std::span<const std::byte> bytes) {
  const char* data = reinterpret_cast<const char*>(bytes.data());
  constexpr size_t kHead = kMagic.size() + sizeof(uint64_t);
  XXH128_hash_t stored;
  if (bytes.size() < kHead + sizeof stored || std::string_view(data, kMagic.size()) != kMagic) {
    fail(path, "not a training checkpoint");
  }
  const size_t body = bytes.size() - sizeof stored;
  std::memcpy(&stored, data + body, sizeof stored);
  if (XXH128_isEqual(stored, XXH3_128bits(data, body)) == 0)
    fail(path, "the checksum is wrong: a damaged checkpoint");
  uint64_t length = 0;
  std::memcpy(&length, data + kMagic.size(), sizeof length);
  if (length > body - kHead) fail(path, "a damaged checkpoint");
  return {std::string_view(data + kHead, length), padded(kHead + length)};
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Identity& identity, const Position& position,
                      Network& network, Optimiser& optimiser) {
  ordered_json json = {{"version", kVersion}};
  for (const auto& [name, value] : identity) json["identity"][name] = value;
  json["pass"] = position.pass;
  json["step"] = position.step;
  json["loss_sum"] = position.loss_sum;
  json["pass_losses"] = position.pass_losses;
  json["optimiser_steps"] = optimiser.steps();
  json["batches"] = network.statistics().batches;
  std::string head(kMagic);
  const std::string text = json.dump();
  const uint64_t length = text.size();
  head.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
  head.resize(padded(head.size()));

  HashedFile file(path);
  file.write(head.data(), head.size());
  for (const std::span<float> values : arrays(network, optimiser)) {
    file.write(values.data(), values.size_bytes());
  }
  file.commit();
}

Position read_checkpoint(const std::filesystem::path& path, const Identity& identity, Network& network,
                         Optimiser& optimiser) {
  const formats::MappedFile file(path);
  const auto [text, start] = checked_text(path, file.bytes());
  try {
    const ordered_json json = ordered_json::parse(text);
    if (json.at("version") != kVersion) fail(path, "a checkpoint of another version of this program");
    check_identity(path, json.at("identity"), identity);
    size_t place = start;
    const size_t end = file.bytes().size() - sizeof(XXH128_hash_t);
    for (const std::span<float> values : arrays(network, optimiser)) {
      if (values.size_bytes() > end - place) fail(path, "a damaged checkpoint");
      std::memcpy(values.data(), file.bytes().data() + place, values.size_bytes());
      place += values.size_bytes();
    }
    if (place != end) fail(path, "a damaged checkpoint");
    optimiser.set_steps(json.at("optimiser_steps"));
    network.statistics().batches = json.at("batches");
    return {json.at("pass"), json.at("step"), json.at("loss_sum"), json.at("pass_losses")};
  } catch (const nlohmann::json::exception&) {
    fail(path, "a damaged checkpoint");
  }
}

}  // namespace kinglet::train
