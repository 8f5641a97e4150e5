#include "addon/ctc_work.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "addon/js_config.h"
#include "addon/js_errors.h"
#include "addon/js_values.h"
#include "addon/promised_work.h"
#include "device/cpu/ctc/decode.h"
#include "device/cpu/ctc/loss.h"

namespace hs {
namespace {

constexpr double kSliceMs = 5;  // another job waits so long

// Probabilities [B, T, K] and how many of the frames count.
struct Outputs {
  explicit Outputs(const Napi::Object& from) {
    Array p = to_array(from.Get("p"), true, "yPred");
    if (p.dims.size() != 3 || p.dims[0] < 1 || p.dims[2] < 1)
      fail(Code::kShape, "ctc", "yPred", "[B, T, K]", to_string(p.dims));
    B = p.dims[0], T = p.dims[1], K = p.dims[2];
    log_p = std::move(p.f64);
    lengths = integers(from, "lengths", B, 0, T);
    blank = from.Get("blank").ToNumber().Int64Value();
    if (blank < 0 || blank >= K)
      fail(Code::kOption, "ctc", "blank", "a class", std::to_string(blank));
    for (int64_t t = 0; t < T; t++) rows.push_back(t);
  }

  // n whole numbers from `least` to `most`.
  static std::vector<int64_t> integers(const Napi::Object& from, const char* key, int64_t n,
                                       int64_t least, int64_t most) {
    const Array numbers = to_array(from.Get(key), true, key);
    std::vector<int64_t> all;
    for (double v : numbers.f64) {
      if (!(v >= double(least) && v <= double(most) && v == std::floor(v)))
        fail(Code::kOption, "ctc", key,
             "whole numbers from " + std::to_string(least) + " to " + std::to_string(most),
             std::to_string(v));
      all.push_back(static_cast<int64_t>(v));
    }
    if (int64_t(all.size()) != n)
      fail(Code::kShape, "ctc", key, std::to_string(n) + " numbers", std::to_string(all.size()));
    return all;
  }

  // The shares of the classes of sample b, as logarithms: in place, once.
  void take_logarithms(int64_t b) {
    double* const z = log_p.data() + b * T * K;
    for (int64_t t = 0; t < lengths[size_t(b)]; t++) {
      double sum = 0;
      for (int64_t k = 0; k < K; k++) sum += z[t * K + k];
      for (int64_t k = 0; k < K; k++) z[t * K + k] = std::log(z[t * K + k] / sum);
    }
  }
  CtcFrames frames(int64_t b) const {
    return {log_p.data() + b * T * K, lengths[size_t(b)], K, blank};
  }

  int64_t B, T, K, blank;
  std::vector<double> log_p;  // [B, T, K]
  std::vector<int64_t> lengths, rows;
};

class CostWork final : public SlicedWork {
 public:
  explicit CostWork(const Napi::Object& from)
      : out_(from), labels_(to_array(from.Get("labels"), true, "yTrue")) {
    if (labels_.dims.size() != 2 || labels_.dims[0] != out_.B)
      fail(Code::kShape, "ctc", "yTrue", "[B, L]", to_string(labels_.dims));
    lengths_ = Outputs::integers(from, "labelLengths", out_.B, 0, labels_.dims[1]);
    Outputs::integers(from, "labels", out_.B * labels_.dims[1], -1, out_.K - 1);
  }

  bool step(const std::atomic<bool>& cancelled) override {
    if (cancelled) return true;
    const int64_t b = int64_t(costs_.size());
    out_.take_logarithms(b);
    const double* const y = labels_.f64.data() + b * labels_.dims[1];
    CtcLabel label(y, y + lengths_[size_t(b)]);
    const CtcFrames f = out_.frames(b);
    const CtcSample<double> sample{f.log_p,      out_.rows.data(),     f.T, f.K, f.blank,
                                   label.data(), int64_t(label.size())};
    costs_.push_back(space_.cost(sample, static_cast<double*>(nullptr)));
    return int64_t(costs_.size()) == out_.B;
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Float64Array all = Napi::Float64Array::New(env, costs_.size());
    std::copy(costs_.begin(), costs_.end(), all.Data());
    return all;
  }

 private:
  Outputs out_;
  Array labels_;
  std::vector<int64_t> lengths_;
  CtcSpace space_;
  std::vector<double> costs_;
};

Napi::Int32Array to_js(Napi::Env env, const CtcLabel& label) {
  Napi::Int32Array array = Napi::Int32Array::New(env, label.size());
  std::copy(label.begin(), label.end(), array.Data());
  return array;
}

// One submission runs until all samples are done or, where JavaScript gives the scores, until it is
// to be asked.
class DecodeWork final : public SlicedWork {
 public:
  explicit DecodeWork(const Napi::Object& from) : out_(from) {
    beam_ = from.Get("beamWidth").ToNumber().Int64Value();
    paths_ = from.Get("topPaths").ToNumber().Int64Value();
    if (beam_ < 0 || paths_ < 1 || beam_ > (int64_t{1} << 30) ||
        paths_ > std::max<int64_t>(1, beam_))
      fail(Code::kOption, "ctcDecode", "topPaths", "from 1 to beamWidth", std::to_string(paths_));
    asks_ = flag(from, "asks");
    const Napi::Value arpa = from.Get("arpa");
    if (!arpa.IsString()) return;
    arpa_ = arpa.As<Napi::String>().Utf8Value();
    const Config c = to_config(from.Get("ngram"));
    options_ = {c.strings("labels"), out_.blank, c.integer("separator"), c.num("weight"),
                c.num("bonus")};
    if (int64_t(options_->labels.size()) != out_.K || options_->separator >= out_.K)
      fail(Code::kShape, "ctcDecode", "labels", std::to_string(out_.K),
           std::to_string(options_->labels.size()));
  }

  void answer(const Array& scores) {
    const int64_t wanted = search_ ? int64_t(search_->asked().size()) * out_.K : 0;
    if (int64_t(scores.f64.size()) != wanted)
      fail(Code::kShape, "ctcDecode", "scores", std::to_string(wanted),
           std::to_string(scores.f64.size()));
    search_->answer(scores.f64.data());
  }

  bool step(const std::atomic<bool>& cancelled) override {
    if (options_ && !scorer_) {
      ngram_.emplace(arpa_);
      scorer_.emplace(*ngram_, *options_);
      arpa_.clear();
    }
    if (cancelled) return true;
    const int64_t b = int64_t(found_.size());
    if (!search_) {
      out_.take_logarithms(b);
      if (beam_ == 0) {
        BeamSearch::Found best;
        best.label = best_path(out_.frames(b), &best.log_p);
        best.score = best.log_p;
        found_.push_back({best});
        return int64_t(found_.size()) == out_.B;
      }
      search_ = std::make_unique<BeamSearch>(out_.frames(b), beam_, paths_);
    }
    if (!search_->run(scorer_ ? &*scorer_ : nullptr, asks_, kSliceMs, cancelled)) return false;
    if (cancelled || !search_->done()) return true;  // asking
    found_.push_back(search_->found());
    search_.reset();
    return int64_t(found_.size()) == out_.B;
  }

  // The prefixes to be scored; or, for each sample, its labels with their logarithms.
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    if (search_) {
      Napi::Array asked = Napi::Array::New(env);
      for (const CtcLabel& prefix : search_->asked()) asked.Set(asked.Length(), to_js(env, prefix));
      object.Set("asked", asked);
      return object;
    }
    Napi::Array all = Napi::Array::New(env);
    for (const auto& sample : found_) {
      Napi::Array list = Napi::Array::New(env);
      for (const BeamSearch::Found& one : sample) {
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("label", to_js(env, one.label));
        entry.Set("logP", Napi::Number::New(env, one.log_p));
        list.Set(list.Length(), entry);
      }
      all.Set(all.Length(), list);
    }
    object.Set("found", all);
    return object;
  }

 private:
  Outputs out_;
  int64_t beam_, paths_;
  bool asks_;
  std::string arpa_;
  std::optional<NgramScorer::Options> options_;
  std::optional<Ngram> ngram_;
  std::optional<NgramScorer> scorer_;
  std::unique_ptr<BeamSearch> search_;
  std::vector<std::vector<BeamSearch::Found>> found_;
};

Napi::Object argument(const Napi::CallbackInfo& info, const char* where) {
  if (info.Length() < 1 || !info[0].IsObject())
    fail(Code::kOption, where, "its argument", "an object", "something else");
  return info[0].As<Napi::Object>();
}

}  // namespace

Napi::Value ctc_cost(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    return submit(info.Env(), std::make_shared<CostWork>(argument(info, "ctcCost")));
  });
}

Napi::Value ctc_decoder(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    auto work = std::make_shared<DecodeWork>(argument(info, "ctcDecoder"));
    const auto run = [work](const Napi::CallbackInfo& call) -> Napi::Value {
      return guard(call.Env(), [&]() -> Napi::Value {
        if (call.Length() > 0 && call[0].IsObject())
          work->answer(to_array(call[0], true, "scores"));
        return submit(call.Env(), work);
      });
    };
    return Napi::Function::New(info.Env(), run, "run");
  });
}

}  // namespace hs
