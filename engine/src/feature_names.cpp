#include "kinglet/feature_names.h"

namespace kinglet {
namespace {

constexpr std::array<std::string_view, 4> kReactionNames = {"like", "reply", "retweet", "quote"};

void add_reactions(std::vector<std::string>& names, const std::string& stem) {
  for (const std::string_view reaction : kReactionNames) names.push_back(stem + "_" + std::string(reaction));
}

std::vector<std::string> make_numeric_names() {
  std::vector<std::string> names;
  for (const char* counter : {"pair", "author", "reader", "language", "hashtag", "similar_authors"}) {
    add_reactions(names, std::string("train_") + counter);
  }
  names.emplace_back("train_similarity_sum");
  for (const char* counter : {"pair", "author", "reader", "language", "hashtag", "tweet"}) {
    add_reactions(names, std::string("valid_") + counter);
  }
  for (const char* counter : {"pair", "author", "reader"}) {
    add_reactions(names, std::string("valid_swapped_") + counter);
  }
  for (const char* counter : {"pair", "author", "reader", "tweet"}) {
    names.push_back(std::string("valid_none_") + counter);
  }
  for (const char* name : {"hashtag_count", "token_count", "author_follower_count", "author_following_count",
                           "reader_follower_count", "reader_following_count", "reader_account_age_days",
                           "author_account_age_days"}) {
    names.emplace_back(name);
  }
  add_reactions(names, "community");
  add_reactions(names, "train_tweet");
  for (const char* counter : {"pair", "author", "reader", "tweet"}) {
    names.push_back(std::string("train_none_") + counter);
  }
  names.emplace_back("reader_account_age_seconds");
  names.emplace_back("author_account_age_seconds");
  return names;
}

std::vector<std::string> make_flag_names() {
  std::vector<std::string> names = {"engagee_follows_engager",
                                    "author_is_verified",
                                    "reader_is_verified",
                                    "has_hashtag",
                                    "has_gif",
                                    "has_photo",
                                    "has_video",
                                    "has_link",
                                    "has_domain",
                                    "is_quote",
                                    "is_retweet",
                                    "is_top_level"};
  add_reactions(names, "same_community");
  return names;
}

}  // namespace

const std::vector<std::string>& numeric_names() {
  static const std::vector<std::string> names = make_numeric_names();
  return names;
}

const std::vector<std::string>& flag_names() {
  static const std::vector<std::string> names = make_flag_names();
  return names;
}

}  // namespace kinglet
