#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// The network of spec section 6 in float64, unfolded, straight from a checkpoint's tensors: plain loops over
/// a dense input vector, libm's sine and cosine. Shares no code with the engine or the converter's folding.
namespace kinglet::test {

struct OracleRequest {
  std::vector<uint32_t> tokens;
  std::vector<double> numerics;
  std::vector<int> flags;
  std::array<uint32_t, 3> categories{};  // language, hour, day
};

class NetworkOracle {
 public:
  using Codes = std::map<uint32_t, std::vector<uint32_t>>;  // token -> absolute codes

  NetworkOracle(std::map<std::string, std::vector<double>> tensors, Codes codes, size_t depth, size_t width);

  /// The dense input without embeddings, as golden/net_io.npz holds it.
  std::vector<double> input(const OracleRequest& request) const;
  /// Logits of an input (without embeddings) and the three categories.
  std::array<double, 4> logits(std::vector<double> input, const std::array<uint32_t, 3>& categories) const;
  std::array<double, 4> logits(const OracleRequest& request) const {
    return logits(input(request), request.categories);
  }

 private:
  const std::vector<double>& tensor(const std::string& name) const { return tensors_.at(name); }
  std::vector<double> linear(const std::string& name, const std::vector<double>& in) const;
  std::vector<double> norm(const std::string& name, std::vector<double> x) const;

  std::map<std::string, std::vector<double>> tensors_;
  Codes codes_;
  size_t depth_;
  size_t width_;
};

}  // namespace kinglet::test
