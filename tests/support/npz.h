#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::converter {
struct Tensor;
}

namespace kinglet::test {

/// The arrays of an .npz file, by name without ".npy". A name that is missing, or an array of another kind
/// than asked for, fails by exception: golden files are either as their README says or not usable at all.
class NpzFile {
 public:
  explicit NpzFile(const std::filesystem::path& path);
  NpzFile(NpzFile&&) noexcept;
  ~NpzFile();

  std::vector<std::string> names() const;
  bool contains(std::string_view name) const;
  const std::vector<uint64_t>& shape(std::string_view name) const;
  /// Row-major elements, of any type that a double holds exactly.
  std::vector<double> f64(std::string_view name) const;
  /// Row-major elements of a floating array no wider than float.
  std::vector<float> f32(std::string_view name) const;
  /// Row-major elements of an integer array.
  std::vector<int64_t> i64(std::string_view name) const;
  const converter::Tensor& tensor(std::string_view name) const;

 private:
  std::string path_;
  std::map<std::string, converter::Tensor, std::less<>> arrays_;
};

}  // namespace kinglet::test
