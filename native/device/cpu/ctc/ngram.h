// N-grams with back-off, from the text of an ARPA file. Katz 1987, IEEE ASSP 35(3).
//   log P(w | h) = that of the n-gram h w where there is one,
//                  else back-off(h) + log P(w | h without its first word)
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hs {

class Ngram {
 public:
  // Throws Error(kOption) where the text is no ARPA file: which line, and why.
  explicit Ngram(std::string_view arpa);

  int order() const { return order_; }
  static constexpr int32_t kUnknown = -1;
  int32_t word(const std::string&) const;  // its number: <unk>'s, or kUnknown, where there is none
  // Natural logarithm. Of the words before, the last order() - 1 count. A word that is unknown to a
  // model without <unk> has 10^-100.
  double log_p(const int32_t* before, int64_t n, int32_t word) const;
  int32_t begin() const { return begin_; }  // <s>, or kUnknown
  int32_t end() const { return end_; }      // </s>, or kUnknown

 private:
  struct Entry {
    double log_p, back_off;  // log10
  };
  const Entry* find(const int32_t* words, int64_t n) const;

  int order_ = 0;
  int32_t begin_ = kUnknown, end_ = kUnknown, unknown_ = kUnknown;
  std::unordered_map<std::string, int32_t> numbers_;
  std::unordered_map<std::string, Entry> entries_;  // by the bytes of the words' numbers
};

}  // namespace hs
