#include "gemm.h"

#include <stdexcept>

#include <oneapi/dnnl/dnnl.h>

namespace kinglet::train {
namespace {

dnnl_dim_t dim(size_t size) {
  return static_cast<dnnl_dim_t>(size);
}

void gemm(char transpose_a, char transpose_b, size_t inner, const ConstMatrix& a, const ConstMatrix& b,
          const Matrix& out, Into into) {
  const dnnl_status_t status = dnnl_sgemm(transpose_a, transpose_b, dim(out.rows), dim(out.columns),
                                          dim(inner), 1.0F, a.data, dim(a.stride), b.data, dim(b.stride),
                                          into == Into::add ? 1.0F : 0.0F, out.data, dim(out.stride));
  if (status != dnnl_success) throw std::runtime_error("oneDNN refused a matrix product");
}

}  // namespace

void multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into) {
  gemm('N', 'N', a.columns, a, b, out, into);
}

void multiply_transposed(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into) {
  gemm('N', 'T', a.columns, a, b, out, into);
}

void transposed_multiply(const ConstMatrix& a, const ConstMatrix& b, const Matrix& out, Into into) {
  gemm('T', 'N', a.rows, a, b, out, into);
}

}  // namespace kinglet::train
