// What the peers of the engine are given: the rows' inputs as the published program's network takes them,
// every numeric feature encoded and every sketch counted, and the engine's own logits of the same rows.
// usage: dense_inputs --model FILE --history FILE ROWS... -o FILE [--minimum-tokens N] [--different-tweets]
//        [--max-rows N]

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "kinglet/converter/tensors.h"
#include "kinglet/features/encoding.h"
#include "kinglet/kinglet.h"
#include "kinglet/latency/lines.h"

namespace {

using kinglet::Request;
using kinglet::converter::ElementType;
using kinglet::converter::Tensor;
namespace fbs = kinglet::fbs;
namespace features = kinglet::features;

struct Arguments {
  std::filesystem::path model;
  std::filesystem::path history;
  std::vector<std::filesystem::path> rows;
  std::filesystem::path output;
  kinglet::latency::LineChoice choice;
};

/// Writes requests as dense rows by a model file's description of its layout (docs/formats/model.md), in the
/// network's input order: sketch, numeric features, flags.
class DenseRows {
 public:
  explicit DenseRows(const kinglet::Model& model)
      : layout_(*model.file().header().layout()),
        codes_(model.file().tensor(model.file().header().codebook()->str(), "codebook")) {
    for (const fbs::Encoding* encoding : *layout_.encodings()) encodings_.push_back(read(*encoding));
    width_ = sketch_size() + layout_.flags()->size();
    for (const fbs::Numeric* numeric : *layout_.numerics())
      width_ += encodings_[numeric->encoding()].values();
  }

  size_t width() const { return width_; }

  /// out[width()], all 0 before.
  void write(const Request& request, float* out) const {
    write_sketch(request, out);
    out += sketch_size();
    for (unsigned i = 0; i < layout_.numerics()->size(); ++i) {
      const features::Encoding& encoding = encodings_[layout_.numerics()->Get(i)->encoding()];
      encoding.encode(request.numerics[i], out);
      out += encoding.values();
    }
    for (unsigned i = 0; i < layout_.flags()->size(); ++i) {
      out[i] = (request.flags >> i & 1) != 0 ? 1.0F : 0.0F;
    }
  }

 private:
  static features::Encoding read(const fbs::Encoding& encoding) {
    const bool fourier = encoding.kind() == fbs::EncodingKind::fourier;
    features::Encoding read{fourier ? features::EncodingKind::fourier : features::EncodingKind::log_steps,
                            {}};
    for (const double scale : *encoding.scales()) read.parameters.push_back(fourier ? 1 / scale : scale);
    return read;
  }

  size_t sketch_size() const { return size_t{layout_.sketch()->depth()} * layout_.sketch()->width(); }

  void write_sketch(const Request& request, float* out) const {
    const size_t depth = layout_.sketch()->depth();
    const size_t width = layout_.sketch()->width();
    for (size_t t = 1; t + 1 < request.tokens.size(); ++t) {
      if (request.tokens[t] >= codes_.dimension(0)) continue;
      const uint16_t* codes = codes_.u16() + request.tokens[t] * depth;
      for (size_t d = 0; d < depth; ++d) {
        if (codes[d] < width) out[d * width + codes[d]] += 1;
      }
    }
    if (layout_.sketch()->norm() == fbs::SketchNorm::tweet) {
      normalise(out, sketch_size(), std::sqrt(static_cast<double>(depth)));
    } else {
      for (size_t d = 0; d < depth; ++d) normalise(out + d * width, width, 1);
    }
  }

  static void normalise(float* counts, size_t size, double length) {
    double squares = 0;
    for (size_t i = 0; i < size; ++i) squares += static_cast<double>(counts[i]) * counts[i];
    if (squares == 0) return;
    const double scale = length / std::sqrt(squares);
    for (size_t i = 0; i < size; ++i) counts[i] = static_cast<float>(counts[i] * scale);
  }

  const fbs::FeatureLayout& layout_;
  const kinglet::formats::TensorView& codes_;
  std::vector<features::Encoding> encodings_;
  size_t width_;
};

Tensor zeros(ElementType type, std::vector<uint64_t> shape) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.bytes.resize(tensor.elements() * element_size(type));
  return tensor;
}

template <typename Element>
Element* row_of(Tensor& tensor, size_t row) {
  return reinterpret_cast<Element*>(tensor.bytes.data()) + row * tensor.shape[1];
}

void run(const Arguments& arguments) {
  const std::vector<std::string> lines = kinglet::latency::read_lines(arguments.rows, arguments.choice);
  const auto model = kinglet::Model::open(arguments.model);
  const kinglet::formats::HistoryFile history(arguments.history);
  kinglet::Session session(model);
  const DenseRows dense(model);

  Tensor inputs = zeros(ElementType::f32, {lines.size(), dense.width()});
  Tensor categories = zeros(ElementType::i64, {lines.size(), model.category_count()});
  Tensor logits = zeros(ElementType::f32, {lines.size(), kinglet::kTargets});
  kinglet::formats::RowParser parser;
  kinglet::Row row;
  kinglet::Scores scores;
  for (size_t i = 0; i < lines.size(); ++i) {
    parser.parse(lines[i], row);
    const kinglet::Status status = session.score(row, history, scores);
    if (status != kinglet::Status::ok) throw kinglet::Error(std::string(kinglet::status_text(status)));
    Request request;
    static_cast<void>(session.request(row, history, request));  // as score() made it
    dense.write(request, row_of<float>(inputs, i));
    std::copy(request.categories.begin(), request.categories.end(), row_of<int64_t>(categories, i));
    std::copy(scores.logits.begin(), scores.logits.end(), row_of<float>(logits, i));
  }
  kinglet::converter::write_safetensors(
      arguments.output,
      {{"inputs", std::move(inputs)}, {"categories", std::move(categories)}, {"logits", std::move(logits)}});
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Rows as dense inputs, and the engine's logits of them");
  app.add_option("--model", arguments.model, "Model file")->required();
  app.add_option("--history", arguments.history, "History file")->required();
  app.add_option("rows", arguments.rows, "Files, or folders of part-* files")->required();
  app.add_option("-o,--output", arguments.output, "safetensors file to write")->required();
  app.add_option("--minimum-tokens", arguments.choice.minimum_tokens, "Only rows of at least so many tokens");
  app.add_flag("--different-tweets", arguments.choice.different_tweets, "Only the first row of each tweet");
  app.add_option("--max-rows", arguments.choice.maximum, "The first so many rows");
  CLI11_PARSE(app, argc, argv);
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dense_inputs: %s\n", error.what());
    return 1;
  }
  return 0;
}
