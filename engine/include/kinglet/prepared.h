#pragma once

#include <memory>

#include "kinglet/model.h"
#include "kinglet/request.h"

namespace kinglet {

/// One side's share of the first layer's sum, kept by the caller. Session::prepare fills it; scoring it with
/// the other side then costs the layers behind the first and the pair's own features. Memory (12 to 24 KB at
/// full size) is booked at creation, which throws std::bad_alloc. Holds for one model, which it keeps alive;
/// one thread writes it, any number may read it.
class PreparedPart {
 protected:
  explicit PreparedPart(const Model& model);

 private:
  friend class Session;
  struct Free {
    void operator()(float* block) const noexcept;
  };
  Model model_;
  std::unique_ptr<float[], Free> sum_;  // [stride]
  bool filled_ = false;
};

/// The tweet's share: the bias, the sketch, and the features of the tweet and its author.
class PreparedTweet : public PreparedPart {
 public:
  explicit PreparedTweet(const Model& model) : PreparedPart(model) {}
};

/// The reader's share: the features of the reader alone.
class PreparedReader : public PreparedPart {
 public:
  explicit PreparedReader(const Model& model) : PreparedPart(model) {}
};

/// A tweet for a reader. `pair` gives what depends on both, its numerics and flags; the rest of it is checked
/// as in every request, but not read.
struct Candidate {
  const PreparedTweet* tweet = nullptr;
  const PreparedReader* reader = nullptr;
  Request pair;
};

}  // namespace kinglet
