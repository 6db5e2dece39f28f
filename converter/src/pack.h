#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kinglet/formats/model_file.h"

#include "row_rounding.h"
#include "sketch_rounding.h"

namespace kinglet::converter {

/// A stored number below this is 0: next to others no sum would keep it, and products of denormals are slow
/// on many CPUs (docs/numerics.md, "Denormals").
inline constexpr double kNegligible = 0x1p-100;

/// The tensors of a model in the making, in file order, in the layouts that the kernels read. Floats below
/// kNegligible become 0.
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
  /// [rows, columns] of type s4, and `name`.scale.
  void add_nibble_rows(const std::string& name, const NarrowRows& rows);
  /// Rows whose first `narrow` columns have `bits`, 4 or 1, and the others 8 (fbs::Packing::split).
  void add_split_rows(const std::string& name, const ByteRows& rows, uint64_t narrow, uint32_t bits);
  /// The same of two parts: `others`, [rows][columns behind the first], are rounded as in add_rows.
  void add_split_rows(const std::string& name, const NarrowRows& first, uint32_t bits,
                      std::span<const double> others);
  /// As add_rows of type s8, in bundles of `bundle` rows, a multiple of 4; columns are a multiple of 64. The
  /// first `narrow` of them have 4 bits.
  void add_bundles(const std::string& name, std::span<const double> values, uint64_t columns, uint64_t narrow,
                   uint64_t bundle);
  /// [rows, columns] of type s8, and `name`.scale; the first `narrow` columns have 4 bits.
  void add_byte_rows(const std::string& name, const ByteRows& rows, uint64_t narrow);
  /// 32-bit integers.
  void add_numbers(const std::string& name, std::span<const int32_t> numbers);
  /// A [outputs][inputs] matrix in 8 bits, as [outputs / panel][inputs / 4][panel][4], and beside it
  /// `name`.scale, an output each, and `name`.sums.
  void add_quads(const std::string& name, std::span<const double> values, uint64_t outputs, uint64_t inputs,
                 uint32_t panel);
  /// f32 [rows, columns], as they are.
  void add_floats(const std::string& name, std::span<const float> values, uint64_t columns);
  void add_codes(const std::string& name, uint64_t tokens, uint64_t depth, std::span<const uint16_t> codes);

  /// How many floats became 0 for being below kNegligible.
  uint64_t negligible() const noexcept { return negligible_; }

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
  struct IntegerRows {
    std::vector<Integer> units;  // [rows][columns]
    std::vector<double> scale;
  };
  template <typename Integer>
  static IntegerRows<Integer> round_rows(const std::string& name, std::span<const double> values,
                                         uint64_t columns, uint64_t narrow = 0);
  template <typename Integer>
  void add_integer_rows(const std::string& name, fbs::ElementType type, std::span<const double> values,
                        uint64_t columns);
  fbs::TensorT& add(const std::string& name, fbs::ElementType type, std::vector<uint64_t> shape,
                    std::span<const std::byte> bytes);
  double without_negligible(double value) noexcept;

  uint64_t negligible_ = 0;
  std::vector<std::unique_ptr<fbs::TensorT>> infos_;
  std::vector<std::vector<std::byte>> bytes_;
};

/// The nearest float; throws Error naming the tensor where it is not finite.
float to_float(double value, const std::string& tensor);

}  // namespace kinglet::converter
