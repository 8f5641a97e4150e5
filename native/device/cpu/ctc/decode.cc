#include "device/cpu/ctc/decode.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/arena.h"
#include "device/cpu/ctc/loss.h"

namespace hs {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return top == kNever ? kNever : top + std::log1p(std::exp(std::min(a, b) - top));
}

}  // namespace

CtcLabel best_path(const CtcFrames& f, double* log_p) {
  CtcLabel label;
  int64_t before = f.blank;
  *log_p = 0;
  for (int64_t t = 0; t < f.T; t++) {
    const double* const row = f.log_p + t * f.K;
    const int64_t k = std::max_element(row, row + f.K) - row;
    *log_p += row[k];
    if (k != before && k != f.blank) label.push_back(static_cast<int32_t>(k));
    before = k;
  }
  return label;
}

// --- language models

NgramScorer::NgramScorer(const Ngram& ngram, Options options)
    : ngram_(ngram), o_(std::move(options)) {
  for (const std::string& label : o_.labels) numbers_.push_back(ngram.word(label));
}

double NgramScorer::of(const std::vector<int32_t>& before, int32_t word) const {
  return o_.weight * ngram_.log_p(before.data(), int64_t(before.size()), word);
}

void NgramScorer::next(const CtcLabel& prefix, double* scores) const {
  if (o_.separator < 0) return next_label(prefix, scores);
  next_word(prefix, scores);
}

void NgramScorer::next_label(const CtcLabel& prefix, double* scores) const {
  std::vector<int32_t> before;
  if (ngram_.begin() != Ngram::kUnknown) before.push_back(ngram_.begin());
  const size_t order = size_t(ngram_.order());
  const size_t from = prefix.size() > order ? prefix.size() - order : 0;
  for (size_t i = from; i < prefix.size(); i++) before.push_back(numbers_[size_t(prefix[i])]);
  for (size_t k = 0; k < numbers_.size(); k++) scores[k] = of(before, numbers_[k]) + o_.bonus;
  const bool ends = ngram_.end() != Ngram::kUnknown;
  scores[o_.blank] = ends ? of(before, ngram_.end()) : 0;
}

// A word counts when its separator comes, or the end; a word of no letters does not.
void NgramScorer::next_word(const CtcLabel& prefix, double* scores) const {
  std::vector<std::string> words = {""};
  for (int32_t k : prefix) {
    if (k == o_.separator)
      words.push_back("");
    else
      words.back() += o_.labels[size_t(k)];
  }
  std::vector<int32_t> before;
  if (ngram_.begin() != Ngram::kUnknown) before.push_back(ngram_.begin());
  for (size_t i = 0; i + 1 < words.size(); i++) {
    if (!words[i].empty()) before.push_back(ngram_.word(words[i]));
  }
  std::fill_n(scores, numbers_.size(), 0.0);
  double last = 0;
  if (!words.back().empty()) {
    const int32_t word = ngram_.word(words.back());
    last = of(before, word) + o_.bonus;
    before.push_back(word);
  }
  scores[o_.separator] = last;
  scores[o_.blank] = last + (ngram_.end() != Ngram::kUnknown ? of(before, ngram_.end()) : 0);
}

// --- the search

BeamSearch::BeamSearch(const CtcFrames& frames, int64_t beam, int64_t paths)
    : frames_(frames), beam_(size_t(beam)), paths_(size_t(paths)) {
  const int64_t nodes = checked_count({frames.T, beam}, "ctcDecode");
  const int64_t candidates = checked_count({frames.K + 1, beam}, "ctcDecode");
  check_budget(checked_sum(nodes, candidates, "ctcDecode") * int64_t(sizeof(Node)), host_room(),
               "ctcDecode");
  Node root{};
  root.parent = root.label = -1;
  root.b = 0, root.n = kNever;
  nodes_.push_back(root);
  kept_.push_back(0);
  enter(0);
}

bool BeamSearch::run(const CtcScorer* scorer, bool asks, double ms,
                     const std::atomic<bool>& cancelled) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  while (!cancelled) {
    if (!unscored_.empty() && (scorer || asks)) {
      ask();
      if (asks) return true;
      for (size_t i = 0; i < unscored_.size(); i++) {
        const size_t place = size_t(nodes_[size_t(unscored_[i])].place);
        scorer->next(asked_[i], next_.data() + place * size_t(frames_.K));
      }
    }
    unscored_.clear();
    if (t_ == frames_.T) {
      end();
      return done_ = true;
    }
    frame(frames_.log_p + t_ * frames_.K);
    select();
    t_++;
    if (std::chrono::duration<double, std::milli>(Clock::now() - start).count() > ms) return false;
  }
  return true;
}

void BeamSearch::ask() {
  asked_.clear();
  for (int32_t node : unscored_) asked_.push_back(label_of(node));
}

void BeamSearch::answer(const double* scores) {
  for (int32_t node : unscored_) {
    const size_t place = size_t(nodes_[size_t(node)].place);
    std::copy_n(scores, frames_.K, next_.begin() + std::ptrdiff_t(place * size_t(frames_.K)));
    scores += frames_.K;
  }
  unscored_.clear();
}

int32_t BeamSearch::child_of(int32_t node, int32_t label) const {
  int32_t child = nodes_[size_t(node)].child;
  while (child >= 0 && nodes_[size_t(child)].label != label) child = nodes_[size_t(child)].sibling;
  return child;
}

CtcLabel BeamSearch::label_of(int32_t node) const {
  CtcLabel label;
  for (; node > 0; node = nodes_[size_t(node)].parent) label.push_back(nodes_[size_t(node)].label);
  std::reverse(label.begin(), label.end());
  return label;
}

// It is in the beam from now on.
void BeamSearch::enter(int32_t node) {
  const size_t K = size_t(frames_.K);
  if (free_.empty()) {
    free_.push_back(static_cast<int32_t>(next_.size() / K));
    next_.resize(next_.size() + K, 0.0);
  }
  nodes_[size_t(node)].place = free_.back();
  free_.pop_back();
  unscored_.push_back(node);
}

// Every prefix of the beam stays what it is, or gets one label more.
void BeamSearch::frame(const double* log_p) {
  const int32_t K = static_cast<int32_t>(frames_.K), blank = static_cast<int32_t>(frames_.blank);
  candidates_.clear();
  for (int32_t i : kept_) {
    Node& node = nodes_[size_t(i)];
    node.next_b = log_add(node.b, node.n) + log_p[blank];
    node.next_n = i == 0 ? kNever : node.n + log_p[node.label];
  }
  for (int32_t i : kept_) {
    const Node& node = nodes_[size_t(i)];
    const double both = log_add(node.b, node.n);
    const double* const next = next_.data() + size_t(node.place) * size_t(K);
    for (int32_t k = 0; k < K; k++) {
      // The same label again is a second one only behind a blank.
      const double n = (k == node.label ? node.b : both) + log_p[k];
      if (k == blank || n == kNever) continue;
      const int32_t child = child_of(i, k);
      if (child >= 0 && nodes_[size_t(child)].place >= 0) {
        Node& other = nodes_[size_t(child)];
        other.next_n = log_add(other.next_n, n);
        continue;
      }
      const double language = node.language + next[k];
      candidates_.push_back({child, i, k, n, language, n + language});
    }
  }
  for (int32_t i : kept_) {
    Node& node = nodes_[size_t(i)];
    node.b = node.next_b, node.n = node.next_n;
    const double score = log_add(node.b, node.n) + node.language;
    candidates_.push_back({i, node.parent, node.label, node.n, node.language, score});
  }
}

// The best of the candidates become the beam. Of equal ones, the shorter prefix, then the one that
// came first.
void BeamSearch::select() {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return std::tie(b.score, a.parent, a.label) < std::tie(a.score, b.parent, b.label);
  };
  const size_t count = std::min(beam_, candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + std::ptrdiff_t(count),
                    candidates_.end(), better);
  for (size_t c = count; c < candidates_.size(); c++) {
    const int32_t i = candidates_[c].node;
    if (i < 0 || nodes_[size_t(i)].place < 0) continue;
    free_.push_back(std::exchange(nodes_[size_t(i)].place, -1));
  }
  kept_.clear();
  for (size_t c = 0; c < count; c++) {
    const Candidate& from = candidates_[c];
    int32_t i = from.node;
    if (i < 0) {
      i = static_cast<int32_t>(nodes_.size());
      Node made{};
      made.parent = from.parent, made.label = from.label;
      made.sibling = std::exchange(nodes_[size_t(from.parent)].child, i);
      nodes_.push_back(made);
    }
    kept_.push_back(i);
    Node& node = nodes_[size_t(i)];
    if (node.place >= 0) continue;
    node.b = kNever, node.n = from.n, node.language = from.language;
    enter(i);
  }
}

// The probability of each, over all paths, also those whose prefixes were not kept on the way.
void BeamSearch::end() {
  std::vector<int64_t> rows(static_cast<size_t>(frames_.T));
  for (int64_t t = 0; t < frames_.T; t++) rows[size_t(t)] = t;
  std::vector<std::pair<double, int32_t>> last;  // score, node
  for (int32_t i : kept_) {
    const Node& node = nodes_[size_t(i)];
    const double ends = next_[size_t(node.place) * size_t(frames_.K) + size_t(frames_.blank)];
    last.push_back({log_add(node.b, node.n) + node.language + ends, i});
  }
  std::stable_sort(last.begin(), last.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  last.resize(std::min(last.size(), paths_));
  CtcSpace space;
  for (const auto& [score, i] : last) {
    const Node& node = nodes_[size_t(i)];
    Found one{label_of(i), 0, 0};
    const CtcSample<double> sample{frames_.log_p,
                                   rows.data(),
                                   frames_.T,
                                   frames_.K,
                                   frames_.blank,
                                   one.label.data(),
                                   int64_t(one.label.size())};
    one.log_p = 0 - space.cost(sample, static_cast<double*>(nullptr));
    one.score = score - log_add(node.b, node.n) + one.log_p;
    found_.push_back(std::move(one));
  }
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Found& a, const Found& b) { return a.score > b.score; });
}

}  // namespace hs
