// Labels from the outputs of a net that was trained with CTC.
//
// Best path: the likeliest class of each frame, repeats merged, blanks left out (Graves et al.
// 2006, 3.2). Prefix beam search: Hannun, Maas, Jurafsky, Ng 2014 (arXiv:1408.2873, algorithm 1).
// For each prefix l of labels, over the frames so far,
//   b(l) the log probability of paths that become l and end in a blank, n(l) of those that do not
//   score(l) = log (e^b + e^n) + weight log P(l) + bonus (labels, or words, of l)
// and of all prefixes the `beam` with the largest scores are kept. P is a language model, if there
// is one. It counts in the choice alone: the probabilities of paths are as without it.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "device/cpu/ctc/ngram.h"

namespace hs {

// Log shares of the classes of each frame, [T, K].
struct CtcFrames {
  const double* log_p;
  int64_t T, K, blank;
};

using CtcLabel = std::vector<int32_t>;

// *log_p: of the path.
CtcLabel best_path(const CtcFrames&, double* log_p);

// What labels may come next, by a language model.
class CtcScorer {
 public:
  virtual ~CtcScorer() = default;
  // Natural logarithms, weighted, of each next label [K] behind a prefix; at the blank's place, of
  // its end.
  virtual void next(const CtcLabel& prefix, double* scores) const = 0;
};

// N-grams of labels, or of words: what lies between two separators. labels [K]: their texts.
class NgramScorer final : public CtcScorer {
 public:
  struct Options {
    std::vector<std::string> labels;
    int64_t blank;
    int64_t separator;  // of words; -1: the labels themselves are what the n-grams are of
    double weight, bonus;
  };
  NgramScorer(const Ngram&, Options);
  void next(const CtcLabel& prefix, double* scores) const override;

 private:
  void next_label(const CtcLabel& prefix, double* scores) const;
  void next_word(const CtcLabel& prefix, double* scores) const;
  double of(const std::vector<int32_t>& before, int32_t word) const;

  const Ngram& ngram_;
  const Options o_;
  std::vector<int32_t> numbers_;  // [K] of labels
};

class BeamSearch {
 public:
  struct Found {
    CtcLabel label;
    double log_p;  // of the label, over all of its paths
    double score;  // with the language model
  };
  // Throws Error(kOutOfMemory) where there is no memory for so many prefixes of so many frames.
  BeamSearch(const CtcFrames&, int64_t beam, int64_t paths);

  // Goes on for about so many ms, until it is done or, where it is scored by someone else, asks:
  // then answer() must be called. True: one of these, or cancelled.
  bool run(const CtcScorer* scorer, bool asks, double ms, const std::atomic<bool>& cancelled);
  const std::vector<CtcLabel>& asked() const { return asked_; }
  void answer(const double* scores);  // [asked, K], as CtcScorer::next gives them
  bool done() const { return done_; }
  const std::vector<Found>& found() const { return found_; }  // the best first

 private:
  struct Node {
    int32_t parent, label, child = -1, sibling = -1;
    int32_t place = -1;  // of the scores of what comes next; -1: it is not in the beam
    double b, n, next_b, next_n;
    double language;  // of the prefix
  };
  struct Candidate {
    int32_t node, parent, label;  // node -1: a child of the parent that is not there yet
    double n, language, score;
  };
  void frame(const double* log_p);
  void select();
  void enter(int32_t node);
  void ask();
  void end();
  int32_t child_of(int32_t node, int32_t label) const;
  CtcLabel label_of(int32_t node) const;

  const CtcFrames frames_;
  const size_t beam_, paths_;
  int64_t t_ = 0;
  bool done_ = false;
  std::vector<Node> nodes_;
  std::vector<int32_t> kept_;  // the beam, the best first
  std::vector<Candidate> candidates_;
  std::vector<double> next_;       // [beam, K]
  std::vector<int32_t> free_;      // places in it
  std::vector<int32_t> unscored_;  // nodes whose place is not filled yet
  std::vector<CtcLabel> asked_;    // their labels
  std::vector<Found> found_;
};

}  // namespace hs
