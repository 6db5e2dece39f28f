#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row.h"
#include "kinglet/model.h"
#include "kinglet/prepared.h"
#include "kinglet/request.h"

namespace kinglet {

/// Bytes of a model file that were read.
struct BytesRead {
  uint64_t vectors = 0;  // of tokens, where the network reads their mean
  uint64_t sketch = 0;   // rows of the first layer: those of the sketch's codes
  uint64_t rows = 0;     // all its other rows
  uint64_t columns = 0;  // of folded layers, or weights of their dense way
  uint64_t dense = 0;    // weights of all other layers
  uint64_t total() const noexcept { return vectors + sketch + rows + columns + dense; }
};

/// One thread's scratch for one model. All memory is booked at creation; score() allocates nothing, takes no
/// lock, throws nothing, makes no system call, reads no environment and touches nothing shared but the
/// model's and the history's constant pages. Not thread-safe: one session a thread. Movable.
class Session {
 public:
  /// `batch`: how many candidates score(candidates, ...) takes at once at most; each takes some 60 KB of
  /// scratch. Of small models a session takes no more than share out the weights well (16 in int8): scratch
  /// of more would leave the second-level cache.
  explicit Session(Model model, size_t batch = 1);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Scores one request. The same model and request give the same bits on every CPU.
  Status score(const Request& request, Scores& scores) noexcept;

  /// Scores one raw row: features as spec section 3 says, from the row's fields and the whole of both
  /// histories. Its labels, if it has any, are not looked at. `communities`: needed by layouts with community
  /// features, else ignored.
  Status score(const Row& row, const formats::HistoryFile& history, Scores& scores,
               const Communities* communities = nullptr) noexcept;

  /// Keeps what the tweet of a request, or its reader, adds to the first layer. Allocates nothing.
  Status prepare(const Request& request, PreparedTweet& tweet) noexcept;
  Status prepare(const Request& request, PreparedReader& reader) noexcept;

  /// Scores prepared tweets for prepared readers, up to `batch` per pass over the layers' weights: the bits
  /// of score(request) one by one, were each request put together of its candidate's parts. `scores` has one
  /// place a candidate. Where one is refused, none is scored.
  Status score(std::span<const Candidate> candidates, std::span<Scores> scores) noexcept;

  /// The request that score() makes of a row, for callers who keep or change it. Its spans point into the row
  /// and into this session: valid until the next call.
  Status request(const Row& row, const formats::HistoryFile& history, Request& request,
                 const Communities* communities = nullptr) noexcept;

  /// What the latest score() or prepare() read of the model file.
  BytesRead bytes_read() const noexcept;

  /// A vector that the latest score() computed, by its name in the model's plan ("hidden1"): without padding,
  /// valid until the next call; empty where there is none. For calibration and tests.
  std::span<const float> value(std::string_view name) const noexcept;

  const Model& model() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet
