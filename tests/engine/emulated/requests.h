#pragma once

#include <bit>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kinglet/session.h"

namespace kinglet::test {

/// A request that owns its parts, and a plain file of them, so that one set can be scored natively and on an
/// emulated CPU.
struct StoredRequest {
  std::vector<uint32_t> tokens;
  std::vector<double> numerics;
  uint64_t flags = 0;
  std::vector<uint32_t> categories;

  Request view() const { return {tokens, numerics, flags, categories}; }
};

namespace detail {

template <typename T>
void put(std::ofstream& out, const std::vector<T>& values) {
  const uint64_t count = values.size();
  out.write(reinterpret_cast<const char*>(&count), sizeof count);
  out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
}

template <typename T>
std::vector<T> get(std::ifstream& in) {
  uint64_t count = 0;
  in.read(reinterpret_cast<char*>(&count), sizeof count);
  std::vector<T> values(in ? count : 0);
  in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return values;
}

}  // namespace detail

inline void write_requests(const std::filesystem::path& path, const std::vector<StoredRequest>& requests) {
  std::ofstream out(path, std::ios::binary);
  for (const StoredRequest& request : requests) {
    detail::put(out, request.tokens);
    detail::put(out, request.numerics);
    out.write(reinterpret_cast<const char*>(&request.flags), sizeof request.flags);
    detail::put(out, request.categories);
  }
}

inline std::vector<StoredRequest> read_requests(const std::filesystem::path& path) {
  std::vector<StoredRequest> requests;
  std::ifstream in(path, std::ios::binary);
  while (in.peek() != std::ifstream::traits_type::eof()) {
    StoredRequest request;
    request.tokens = detail::get<uint32_t>(in);
    request.numerics = detail::get<double>(in);
    in.read(reinterpret_cast<char*>(&request.flags), sizeof request.flags);
    request.categories = detail::get<uint32_t>(in);
    requests.push_back(std::move(request));
  }
  return requests;
}

/// The four logits' bits and probabilities' bits as hexadecimal text.
inline std::string logit_bits(Session& session, const StoredRequest& request) {
  Scores scores;
  if (session.score(request.view(), scores) != Status::ok) return "refused";
  std::string text;
  char digits[9];
  for (const auto* values : {&scores.logits, &scores.probabilities}) {
    for (const float value : *values) {
      std::snprintf(digits, sizeof digits, "%08x", std::bit_cast<uint32_t>(value));
      text += digits;
    }
  }
  return text;
}

}  // namespace kinglet::test
