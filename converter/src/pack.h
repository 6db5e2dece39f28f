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
  /// Floats of shape [rows, columns] as they are; columns must already be a multiple of the kernels' lane.
  void add_rows(const std::string& name, uint64_t rows, uint64_t columns, std::vector<float> values);
  /// A vector, padded with zeros to `padded` floats. Rounded to float once. Throws Error if a float
  /// overflows.
  void add_vector(const std::string& name, std::span<const double> values, uint64_t padded);
  /// A [outputs][inputs] matrix as [outputs / panel][inputs][panel], outputs padded with zeros.
  void add_panels(const std::string& name, std::span<const double> values, uint64_t outputs, uint64_t inputs,
                  uint32_t panel);
  void add_codes(const std::string& name, uint64_t tokens, uint64_t depth, std::span<const uint16_t> codes);

  /// Moves everything into `header.tensors` and the returned bytes (formats::ModelFileWriter's arguments).
  std::vector<std::vector<std::byte>> release(fbs::ModelT& header);

 private:
  fbs::TensorT& add(const std::string& name, fbs::ElementType type, std::vector<uint64_t> shape,
                    std::span<const std::byte> bytes);
  std::vector<std::unique_ptr<fbs::TensorT>> infos_;
  std::vector<std::vector<std::byte>> bytes_;
};

/// The nearest float; throws Error naming the tensor where it is not finite.
float to_float(double value, const std::string& tensor);

}  // namespace kinglet::converter
