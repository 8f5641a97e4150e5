// Levenshtein's distance: the least number of insertions, deletions and substitutions that make one
// sequence the other. Wagner, Fischer 1974, JACM 21(1).
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace hs {

class EditDistance {
 public:
  int64_t operator()(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
    row_.resize(b.size() + 1);
    for (size_t j = 0; j <= b.size(); j++) row_[j] = static_cast<int64_t>(j);
    for (size_t i = 0; i < a.size(); i++) {
      int64_t across = row_[0]++;  // from a without a[i], b without b[j]
      for (size_t j = 0; j < b.size(); j++) {
        const int64_t other = across + (a[i] != b[j]);
        across = row_[j + 1];
        row_[j + 1] = std::min({other, across + 1, row_[j] + 1});
      }
    }
    return row_[b.size()];
  }

 private:
  std::vector<int64_t> row_;  // [b + 1]
};

}  // namespace hs
