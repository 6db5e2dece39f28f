#include "src/accounts.h"

#include <algorithm>
#include <numeric>

#include "kinglet/features/elementary.h"

namespace kinglet::simulate {
namespace {

constexpr int64_t kFirstAccount = 1'142'899'200;  // 21 March 2006
constexpr int64_t kLastAccount = 1'609'459'200;   // 1 January 2021

/// The number near 0.618 of `modulus` that shares no factor with it: its multiples visit all residues, far
/// apart.
uint64_t coprime_step(uint64_t modulus) noexcept {
  auto step = std::max<uint64_t>(static_cast<uint64_t>(static_cast<double>(modulus) * 0.6180339887498949), 1);
  while (std::gcd(step, modulus) != 1) ++step;
  return step;
}

/// x with step x = 1 modulo modulus, by Euclid's algorithm; gcd(step, modulus) = 1, both below 2^32.
uint64_t inverse(uint64_t step, uint64_t modulus) noexcept {
  int64_t r0 = static_cast<int64_t>(modulus);
  int64_t r1 = static_cast<int64_t>(step % modulus);
  int64_t x0 = 0;
  int64_t x1 = 1;
  while (r1 > 1) {
    const int64_t quotient = r0 / r1;
    r0 -= quotient * r1;
    std::swap(r0, r1);
    x0 -= quotient * x1;
    std::swap(x0, x1);
  }
  return static_cast<uint64_t>(x1 < 0 ? x1 + static_cast<int64_t>(modulus) : x1) % modulus;
}

}  // namespace

uint64_t Accounts::whole_communities(uint64_t readers) noexcept {
  return (readers + kMembers - 1) / kMembers * kMembers;
}

Accounts::Accounts(uint64_t seed, uint64_t readers, uint64_t authors) noexcept
    : seed_(seed),
      users_(readers),
      authors_(authors),
      communities_(readers / kMembers),
      step_(coprime_step(readers)),
      inverse_step_(inverse(step_, readers)),
      shift_(key(seed, Purpose::author_order, 0) % readers),
      by_author_(authors, 8),
      by_member_(kMembers, 6) {}

uint64_t Accounts::rank_of(uint64_t user) const noexcept {
  return (user + users_ - shift_) % users_ * inverse_step_ % users_;
}

Account Accounts::account(uint64_t user) const noexcept {
  Draws draws(seed_, Purpose::account, user);
  Account account;
  account.user = user;
  account.community = community_of(user);
  account.log_followers = 4.6 + 1.3 * draws.normal();
  const uint64_t rank = rank_of(user);
  if (rank < authors_) {
    const double prominence = 40 * static_cast<double>(authors_) / (static_cast<double>(rank) + 3);
    account.log_followers = 0.4 * draws.normal() + logarithm(prominence);
  }
  account.followers = static_cast<uint64_t>(features::exponential(account.log_followers));
  account.log_following = 5.3 + draws.normal();
  account.following = static_cast<uint64_t>(features::exponential(account.log_following));
  account.growth = draws.below(5);
  account.created = draws.between(kFirstAccount, kLastAccount - 1);
  account.generation = static_cast<uint32_t>((account.created - kFirstAccount) * kGenerations /
                                             (kLastAccount - kFirstAccount));
  account.verified = draws.chance(account.log_followers > 10    ? 0.5
                                  : account.log_followers > 7.5 ? 0.05
                                                                : 0.004);
  return account;
}

uint64_t Accounts::draw_author(Draws& draws) const noexcept {
  return (by_author_.draw(draws) * step_ + shift_) % users_;
}

uint64_t Accounts::neighbour(uint64_t community, uint32_t which) const noexcept {
  return key(seed_, Purpose::neighbour, community, which) % communities_;
}

uint64_t Accounts::draw_reader(const Account& author, Draws& draws) const noexcept {
  uint64_t user = author.user;
  while (user == author.user) {
    const double where = draws.uniform();
    uint64_t community = author.community;
    if (where >= 0.85) {
      community = draws.below(communities_);
    } else if (where >= 0.60) {
      community = neighbour(author.community, draws.below(kNeighbours));
    }
    user = by_member_.draw(draws) * communities_ + community;
  }
  return user;
}

Accounts::Nearness Accounts::nearness(const Account& author, const Account& reader) const noexcept {
  if (author.community == reader.community) return Nearness::same_community;
  for (uint32_t which = 0; which < kNeighbours; ++which) {
    if (neighbour(author.community, which) == reader.community) return Nearness::neighbour;
  }
  return Nearness::stranger;
}

bool Accounts::follows(const Account& author, const Account& reader) const noexcept {
  constexpr uint64_t kPercent[] = {60, 30, 6};  // by Nearness
  const uint64_t draw = key(seed_, Purpose::follow_edge, author.user, reader.user) % 100;
  return draw < kPercent[static_cast<size_t>(nearness(author, reader))];
}

}  // namespace kinglet::simulate
