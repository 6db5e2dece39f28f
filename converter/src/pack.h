#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kinglet/formats/model_file.h"

namespace kinglet::converter {

/// The tensors of a model in the making, in file order, in the layouts that the kernels read.
class TensorPack {
 public:
  /// A vector, padded with zeros to `padded` floats. Rounded to float once. Throws Error if a float
  /// overflows.
  void add_vector(const std::string& name, std::span<const double> values, uint64_t padded);
  /// A [outputs][inputs] matrix of floats (f32, bf16, f16) as [outputs / panel][inputs][panel], outputs
  /// padded with zeros. Rounded once.
  void add_panels(const std::string& name, fbs::ElementType type, std::span<const double> values,
                  uint64_t outputs, uint64_t inputs, uint32_t panel);
  /// Rows of shape [rows, columns] of type f32, bf16, f16, s8 or s16, columns a multiple of the kernels'
  /// lane. Floats are rounded once. Beside integers, as `name`.scale, stands what one unit is, a column each:
  /// the column's largest magnitude over 127 or 32767.
  void add_rows(const std::string& name, fbs::ElementType type, std::span<const double> values,
                uint64_t columns);
  /// 16-bit rows of shape [groups, columns]: the exact sum of each group's rows of the 8-bit tensor `source`,
  /// whose scale is theirs. A group has at most kMaximumSummed rows.
  void add_sums_s16(const std::string& name, const std::string& source,
                    const std::vector<std::vector<uint32_t>>& groups, uint64_t columns);
  /// 32-bit integers.
  void add_numbers(const std::string& name, std::span<const int32_t> numbers);
  /// A [outputs][inputs] matrix in 8 bits, as [outputs / panel][inputs / 4][panel][4], and beside it
  /// `name`.scale, an output each, and `name`.sums.
  void add_quads(const std::string& name, std::span<const double> values, uint64_t outputs, uint64_t inputs,
                 uint32_t panel);
  /// f32 [rows, columns], as they are.
  void add_floats(const std::string& name, std::span<const float> values, uint64_t columns);
  void add_codes(const std::string& name, uint64_t tokens, uint64_t depth, std::span<const uint16_t> codes);

  /// Moves everything into `header.tensors` and the returned bytes (formats::ModelFileWriter's arguments).
  std::vector<std::vector<std::byte>> release(fbs::ModelT& header);

 private:
  template <typename Element>
  using Rounding = Element (*)(double value, const std::string& tensor);

  template <typename Element>
  void add_float_rows(const std::string& name, fbs::ElementType type, std::span<const double> values,
                      uint64_t columns, Rounding<Element> round);
  template <typename Element>
  void add_float_panels(const std::string& name, fbs::ElementType type, std::span<const double> values,
                        uint64_t outputs, uint64_t inputs, uint32_t panel, Rounding<Element> round);
  template <typename Integer>
  void add_integer_rows(const std::string& name, fbs::ElementType type, std::span<const double> values,
                        uint64_t columns);
  fbs::TensorT& add(const std::string& name, fbs::ElementType type, std::vector<uint64_t> shape,
                    std::span<const std::byte> bytes);

  std::vector<std::unique_ptr<fbs::TensorT>> infos_;
  std::vector<std::vector<std::byte>> bytes_;
};

/// 8-bit rows that a 16-bit one can add up.
inline constexpr uint64_t kMaximumSummed = 32'767 / 127;

/// The nearest float; throws Error naming the tensor where it is not finite.
float to_float(double value, const std::string& tensor);

}  // namespace kinglet::converter
