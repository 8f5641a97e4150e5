// Prefix beam search against the probabilities of all labels; n-grams against numbers by hand.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>

#include "base/error.h"
#include "device/cpu/ctc/decode.h"
#include "device/cpu/ctc/loss.h"
#include "test/compare.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

const std::atomic<bool> kNotCancelled{false};

// Log shares [T, K].
std::vector<double> shares(int64_t T, int64_t K, uint32_t seed, double scale = 2) {
  std::vector<double> z = numbers<double>(T * K, seed, -scale, scale);
  for (int64_t t = 0; t < T; t++) {
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += std::exp(z[size_t(t * K + k)]);
    for (int64_t k = 0; k < K; k++) z[size_t(t * K + k)] -= std::log(sum);
  }
  return z;
}

using Found = BeamSearch::Found;

std::vector<Found> search(const CtcFrames& frames, int64_t beam, int64_t paths,
                          const CtcScorer* scorer = nullptr) {
  BeamSearch of(frames, beam, paths);
  while (!of.run(scorer, false, 1e9, kNotCancelled)) {
  }
  return of.found();
}

double log_p(const CtcFrames& f, const CtcLabel& label) {
  CtcSpace space;
  std::vector<int64_t> rows;
  for (int64_t t = 0; t < f.T; t++) rows.push_back(t);
  const CtcSample<double> sample{f.log_p,      rows.data(),          f.T, f.K, f.blank,
                                 label.data(), int64_t(label.size())};
  return -space.cost(sample, static_cast<double*>(nullptr));
}

// Every label, by falling score.
std::vector<Found> all(const CtcFrames& f, const std::function<double(const CtcLabel&)>& language) {
  std::vector<CtcLabel> labels = {{}};
  for (size_t i = 0; i < labels.size(); i++) {
    if (int64_t(labels[i].size()) == f.T) continue;
    for (int32_t k = 0; k < f.K; k++) {
      if (k == f.blank) continue;
      labels.push_back(labels[i]);
      labels.back().push_back(k);
    }
  }
  std::vector<Found> found;
  for (const CtcLabel& label : labels) {
    const double p = log_p(f, label);
    if (std::isfinite(p)) found.push_back({label, p, p + language(label)});
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.score > b.score; });
  return found;
}

void check_found(const std::vector<Found>& found, const std::vector<Found>& expected, size_t n) {
  CHECK(found.size() == n);
  for (size_t i = 0; i < std::min(n, found.size()); i++) {
    CHECK(found[i].label == expected[i].label);
    CHECK_CLOSE(found[i].log_p, expected[i].log_p, 1e-12);
    CHECK_CLOSE(found[i].score, expected[i].score, 1e-12);
  }
}

TEST(beam_search_that_keeps_all_finds_the_likeliest_labels) {
  for (uint32_t seed = 1; seed <= 100; seed++) {
    const int64_t T = 1 + seed % 5, K = 2 + seed % 3, blank = seed % K;
    const std::vector<double> z = shares(T, K, seed);
    const CtcFrames frames{z.data(), T, K, blank};
    const std::vector<Found> expected = all(frames, [](const CtcLabel&) { return 0.0; });
    const size_t n = std::min<size_t>(5, expected.size());
    check_found(search(frames, 5000, int64_t(n)), expected, n);
  }
}

// A scorer whose numbers depend on the whole prefix.
struct Counting final : CtcScorer {
  explicit Counting(int64_t K) : K(K) {}
  void next(const CtcLabel& prefix, double* scores) const override {
    for (int64_t k = 0; k < K; k++) {
      double s = double(k) + 1;
      for (int32_t p : prefix) s = s * 1.7 + double(p);
      scores[k] = -std::fmod(s, 3.0);
    }
  }
  int64_t K;
};

TEST(beam_search_adds_the_scores_of_a_language_model) {
  for (uint32_t seed = 1; seed <= 60; seed++) {
    const int64_t T = 1 + seed % 5, K = 2 + seed % 3, blank = (seed + 1) % K;
    const std::vector<double> z = shares(T, K, seed);
    const CtcFrames frames{z.data(), T, K, blank};
    const Counting scorer(K);
    const auto language = [&](const CtcLabel& label) {
      double sum = 0;
      std::vector<double> next(static_cast<size_t>(K));
      CtcLabel prefix;
      for (int32_t k : label) {
        scorer.next(prefix, next.data());
        sum += next[size_t(k)];
        prefix.push_back(k);
      }
      scorer.next(prefix, next.data());
      return sum + next[size_t(blank)];
    };
    const std::vector<Found> expected = all(frames, language);
    const size_t n = std::min<size_t>(5, expected.size());
    check_found(search(frames, 5000, int64_t(n), &scorer), expected, n);
    // Asked from outside, it is the same.
    BeamSearch asking(frames, 5000, int64_t(n));
    for (;;) {
      while (!asking.run(nullptr, true, 0, kNotCancelled)) {
      }
      if (asking.done()) break;
      std::vector<double> scores(asking.asked().size() * size_t(K));
      for (size_t i = 0; i < asking.asked().size(); i++)
        scorer.next(asking.asked()[i], scores.data() + i * size_t(K));
      asking.answer(scores.data());
    }
    check_found(asking.found(), expected, n);
  }
}

TEST(beams_that_forget_find_what_is_nearly_as_likely) {
  double worst = 0;
  for (uint32_t seed = 1; seed <= 20; seed++) {
    const int64_t T = 40, K = 8;
    const std::vector<double> z = shares(T, K, seed, 5);
    const CtcFrames frames{z.data(), T, K, 7};
    double path = 0;
    const CtcLabel greedy = best_path(frames, &path);
    const std::vector<Found> found = search(frames, 20, 3);
    CHECK(found.size() == 3 && found[0].score >= found[1].score);
    CHECK(found[0].log_p == log_p(frames, found[0].label));
    CHECK(path <= log_p(frames, greedy));  // one of the label's paths
    worst = std::max(worst, log_p(frames, greedy) - found[0].log_p);
    // More room finds no less, but for prefixes that it counts more of the paths of.
    CHECK(search(frames, 200, 20)[0].log_p >= found[0].log_p);
  }
  CHECK(worst <= 0.05);
}

TEST(beam_search_of_no_frames_and_of_sharp_ones) {
  const CtcFrames none{nullptr, 0, 3, 0};
  const std::vector<Found> found = search(none, 4, 1);
  CHECK(found.size() == 1 && found[0].label.empty() && found[0].log_p == 0);
  const double never = -std::numeric_limits<double>::infinity();
  const std::vector<double> z = {never, 0, never, 0, never, never, never, 0, never};
  const CtcFrames sharp{z.data(), 3, 3, 0};  // 1, the blank, 1
  const std::vector<Found> only = search(sharp, 4, 2);
  CHECK(only[0].label == (CtcLabel{1, 1}) && only[0].log_p == 0);
  double path = 1;
  CHECK(best_path(sharp, &path) == (CtcLabel{1, 1}) && path == 0);
  CHECK(best_path(none, &path).empty());
}

TEST(beam_search_stops_when_cancelled) {
  const std::vector<double> z = shares(50, 5, 1);
  BeamSearch of({z.data(), 50, 5, 0}, 10, 1);
  const std::atomic<bool> cancelled{true};
  CHECK(of.run(nullptr, false, 1e9, cancelled) && !of.done());
}

TEST(beams_beyond_memory_are_refused_before_the_work) {
  const std::vector<double> z = shares(3, 3, 1);
  CHECK_ERROR(BeamSearch({z.data(), 3, 3, 0}, int64_t{1} << 44, 1), Code::kOutOfMemory,
              "ctcDecode");
}

const char* const kArpa = R"(
made by hand
\data\
ngram 1=5
ngram 2=3
ngram 3=1

\1-grams:
-1.0	<s>	-0.5
-0.5	</s>
-0.3	a	-0.2
-0.7	b	-0.1
-2.0	<unk>

\2-grams:
-0.1	<s> a	-0.4
-0.6	a b
-0.8	b a

\3-grams:
-0.05	<s> a b

\end\
)";

TEST(ngrams_back_off) {
  const Ngram ngram(kArpa);
  const int32_t s = ngram.begin(), e = ngram.end(), a = ngram.word("a"), b = ngram.word("b");
  const auto log10 = [&](std::vector<int32_t> before, int32_t word) {
    return ngram.log_p(before.data(), int64_t(before.size()), word) / std::log(10.0);
  };
  CHECK(ngram.order() == 3);
  CHECK_CLOSE(log10({}, a), -0.3, 1e-12);
  CHECK_CLOSE(log10({s}, a), -0.1, 1e-12);
  CHECK_CLOSE(log10({s}, b), -0.5 - 0.7, 1e-12);
  CHECK_CLOSE(log10({s, a}, b), -0.05, 1e-12);
  CHECK_CLOSE(log10({s, a}, a), -0.4 - 0.2 - 0.3, 1e-12);  // <s> a | a, then a | a
  CHECK_CLOSE(log10({b, a, s, a}, b), -0.05, 1e-12);       // two words before count
  CHECK_CLOSE(log10({a, b}, e), -0.1 - 0.5, 1e-12);        // a b has no back-off
  CHECK_CLOSE(log10({a}, ngram.word("c")), -0.2 - 2.0, 1e-12);
  const Ngram closed("\\data\\\nngram 1=1\n\\1-grams:\n-1 a\n\\end\\\n");
  CHECK(closed.word("b") == Ngram::kUnknown);
  CHECK_CLOSE(closed.log_p(nullptr, 0, closed.word("b")), -100 * std::log(10.0), 1e-9);
}

TEST(texts_that_are_no_arpa_file_are_refused_by_line) {
  for (const auto& [text, line] : std::vector<std::pair<std::string, std::string>>{
           {"", "line 0"},
           {"hello\n", "line 1"},
           {"\\data\\\nfoo\n", "line 2"},
           {"\\data\\\n\\2-grams:\n", "line 2"},
           {"\\data\\\n\\1-grams:\n-1\n", "line 3"},
           {"\\data\\\n\\1-grams:\nx a\n", "line 3"},
           {"\\data\\\n\\1-grams:\n0.5 a\n", "line 3"},
           {"\\data\\\n\\1-grams:\n-1 a nan\n", "line 3"},
           {"\\data\\\n\\1-grams:\n-1 a\n\n\\2-grams:\n-1 a b\n", "line 6"},
           {"\\data\\\n\\1-grams:\n-1 a\n", "line 3"},
           {"\\data\\\n\\end\\\n", "line 2"}})
    CHECK_ERROR(Ngram{text}, Code::kOption, line);
}

TEST(ngrams_of_labels_and_of_words_score_prefixes) {
  const Ngram ngram(kArpa);
  const double ln10 = std::log(10.0);
  double scores[4];
  const NgramScorer labels(ngram, {{"a", "b", "c", "-"}, 3, -1, 0.5, 2});
  labels.next({}, scores);
  CHECK_CLOSE(scores[0], 0.5 * -0.1 * ln10 + 2, 1e-12);
  CHECK_CLOSE(scores[2], 0.5 * (-0.5 - 2.0) * ln10 + 2, 1e-12);
  labels.next({0, 1}, scores);
  CHECK_CLOSE(scores[3], 0.5 * (-0.1 - 0.5) * ln10, 1e-12);  // the end, behind <s> a b
  const Ngram words(
      "\\data\\\nngram 1=3\n\\1-grams:\n-0.2 ab -0.3\n-0.9 b\n-0.4 </s>\n\n"
      "\\2-grams:\n-0.1 ab b\n\\end\\\n");
  const NgramScorer of(words, {{"a", "b", " ", "-"}, 3, 2, 1, -1});
  of.next({0}, scores);
  CHECK(scores[0] == 0 && scores[1] == 0);
  CHECK_CLOSE(scores[2], -100 * ln10 - 1, 1e-9);  // "a" is no word
  of.next({0, 1}, scores);
  CHECK_CLOSE(scores[2], -0.2 * ln10 - 1, 1e-12);
  CHECK_CLOSE(scores[3], (-0.2 - 0.3 - 0.4) * ln10 - 1, 1e-12);  // ab, then the end
  of.next({0, 1, 2}, scores);
  CHECK(scores[2] == 0);  // no word between two separators
  CHECK_CLOSE(scores[3], (-0.3 - 0.4) * ln10, 1e-12);
  of.next({0, 1, 2, 2, 1}, scores);
  CHECK_CLOSE(scores[2], -0.1 * ln10 - 1, 1e-12);
}

}  // namespace
}  // namespace test
}  // namespace hs
