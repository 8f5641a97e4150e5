#include "device/cpu/ctc/ngram.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"

namespace hs {
namespace {

constexpr double kLog10 = 2.302585092994045684;
constexpr double kNever = -100;  // log10
constexpr int kMostOrder = 16;

std::string key(const int32_t* words, int64_t n) {
  return std::string(reinterpret_cast<const char*>(words), size_t(n) * sizeof(int32_t));
}

// Line by line, without blanks at the ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next(std::string_view* line) {
    while (!rest_.empty()) {
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      *line = trimmed(rest_.substr(0, end));
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      number++;
      if (!line->empty()) return true;
    }
    return false;
  }
  [[noreturn]] void refuse(const char* expected, std::string_view got) const {
    fail(Code::kOption, "languageModel.arpa", "line " + std::to_string(number), expected,
         "'" + std::string(got.substr(0, 40)) + "'");
  }
  int64_t number = 0;

 private:
  static std::string_view trimmed(std::string_view s) {
    const char* const blanks = " \t\r";
    const size_t from = s.find_first_not_of(blanks);
    if (from == std::string_view::npos) return {};
    return s.substr(from, s.find_last_not_of(blanks) - from + 1);
  }
  std::string_view rest_;
};

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> parts;
  size_t at = 0;
  while ((at = line.find_first_not_of(" \t", at)) != std::string_view::npos) {
    const size_t end = std::min(line.find_first_of(" \t", at), line.size());
    parts.push_back(line.substr(at, end - at));
    at = end;
  }
  return parts;
}

bool is_number(std::string_view text, double* value) {
  const std::string copy(text);
  char* end = nullptr;
  *value = std::strtod(copy.c_str(), &end);
  return !copy.empty() && *end == '\0' && !std::isnan(*value);
}

}  // namespace

Ngram::Ngram(std::string_view arpa) {
  Lines lines(arpa);
  std::string_view line;
  do {
    if (!lines.next(&line)) lines.refuse("\\data\\ somewhere", "the end");
  } while (line != "\\data\\");
  int section = 0;
  while (lines.next(&line)) {
    if (line == "\\end\\") break;
    if (line[0] == '\\') {
      if (line != "\\" + std::to_string(section + 1) + "-grams:" || section == kMostOrder)
        lines.refuse("\\N-grams: of N from 1 to 16 in order, or \\end\\", line);
      order_ = ++section;
      continue;
    }
    if (section == 0) {
      if (line.substr(0, 6) != "ngram ") lines.refuse("ngram N=COUNT", line);
      continue;  // what is there counts, not what is promised
    }
    const std::vector<std::string_view> parts = split(line);
    const size_t n = size_t(section);
    Entry entry{0, 0};
    if (parts.size() < n + 1 || parts.size() > n + 2 || !is_number(parts[0], &entry.log_p) ||
        entry.log_p > 0 || (parts.size() == n + 2 && !is_number(parts[n + 1], &entry.back_off)))
      lines.refuse("a log10 probability, the words, and a back-off if there is one", line);
    int32_t words[kMostOrder];
    for (size_t i = 0; i < n; i++) {
      const std::string text(parts[i + 1]);
      if (section == 1) numbers_.emplace(text, static_cast<int32_t>(numbers_.size()));
      const auto it = numbers_.find(text);
      if (it == numbers_.end()) lines.refuse("words that are among the 1-grams", line);
      words[i] = it->second;
    }
    entries_[key(words, section)] = entry;
  }
  if (line != "\\end\\") lines.refuse("\\end\\", "the end");
  if (order_ == 0) lines.refuse("\\1-grams: before \\end\\", line);
  const auto number = [&](const char* name) {
    const auto it = numbers_.find(name);
    return it == numbers_.end() ? kUnknown : it->second;
  };
  begin_ = number("<s>"), end_ = number("</s>"), unknown_ = number("<unk>");
}

int32_t Ngram::word(const std::string& text) const {
  const auto it = numbers_.find(text);
  return it == numbers_.end() ? unknown_ : it->second;
}

const Ngram::Entry* Ngram::find(const int32_t* words, int64_t n) const {
  const auto it = entries_.find(key(words, n));
  return it == entries_.end() ? nullptr : &it->second;
}

double Ngram::log_p(const int32_t* before, int64_t n, int32_t word) const {
  if (word == kUnknown) return kNever * kLog10;
  int32_t words[kMostOrder];
  int64_t length = std::min<int64_t>(n, order_ - 1);
  std::copy(before + n - length, before + n, words);
  words[length] = word;
  double back_off = 0;
  const int32_t* from = words;
  for (; length >= 0; length--, from++) {
    if (const Entry* const found = find(from, length + 1))
      return (back_off + found->log_p) * kLog10;
    if (length == 0) break;
    if (const Entry* const history = find(from, length)) back_off += history->back_off;
  }
  return kNever * kLog10;
}

}  // namespace hs
