#pragma once

#include <cstdint>

#include "src/draws.h"

namespace kinglet::simulate {

inline constexpr uint64_t kMembers = 64;     // of a community
inline constexpr uint32_t kNeighbours = 3;   // communities that also read a community's authors
inline constexpr uint32_t kGenerations = 4;  // of accounts, by the time they were made

/// A user, all of it a function of the user's number.
struct Account {
  uint64_t user = 0;
  uint64_t community = 0;
  /// Logarithm of the followers on the first day.
  double log_followers = 0;
  double log_following = 0;
  uint64_t followers = 0;
  uint64_t following = 0;
  /// New followers a day, in thousandths.
  uint64_t growth = 0;
  int64_t created = 0;
  uint32_t generation = 0;  // 0 = the oldest quarter of accounts
  bool verified = false;

  uint64_t followers_on(uint32_t day) const noexcept { return followers + followers * day * growth / 1'000; }
};

/// Who there is and who reads whom. Users are dealt to communities like cards: user u is member u /
/// communities of community u mod communities, so that membership needs no table. Immutable.
class Accounts {
 public:
  /// `readers` is a multiple of the communities' size, as given by whole_communities().
  Accounts(uint64_t seed, uint64_t readers, uint64_t authors) noexcept;

  static uint64_t whole_communities(uint64_t readers) noexcept;

  Account account(uint64_t user) const noexcept;
  uint64_t community_of(uint64_t user) const noexcept { return user % communities_; }

  /// Authors by how much they write, a power law over ranks.
  uint64_t draw_author(Draws& draws) const noexcept;
  /// Someone to show the author's tweet to: mostly from the author's community and its neighbours, active
  /// readers first. Never the author.
  uint64_t draw_reader(const Account& author, Draws& draws) const noexcept;

  enum class Nearness : uint8_t { same_community, neighbour, stranger };
  Nearness nearness(const Account& author, const Account& reader) const noexcept;
  /// Whether the author follows the reader (engagee_follows_engager).
  bool follows(const Account& author, const Account& reader) const noexcept;

 private:
  uint64_t neighbour(uint64_t community, uint32_t which) const noexcept;
  /// The author's rank, or a number >= authors_ for a user who does not write.
  uint64_t rank_of(uint64_t user) const noexcept;

  uint64_t seed_;
  uint64_t users_, authors_, communities_;
  // Author of rank k is user (k x step + shift) mod users: the ranks are spread over all communities.
  uint64_t step_, inverse_step_, shift_;
  PowerLaw by_author_, by_member_;
};

}  // namespace kinglet::simulate
