// oneDNN's recurrent primitives with what a training step needs around them: onednn THREADS. Speaks
// what serve.mjs describes. Written against oneDNN 2.x; the bench builds it when a compiler and the
// headers are there.
//
// A training step: weights repacked for both directions, embedding rows gathered, forward_training
// with workspace, dense layer and loss, backward, gradients of embedding rows scattered, Adam over
// all weights. A prediction: forward_inference with weights packed once, dense layer. oneDNN 2.6.3
// computes wrong gradients of U when src_iter is empty, so zero states are always given.
#include <omp.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

#if DNNL_VERSION_MAJOR != 2
#error "bench/peers/onednn.cc is written against oneDNN 2.x"
#endif

namespace {

using dnnl::memory;
using Floats = std::vector<float>;
using Arguments = std::unordered_map<int, memory>;
using tag = memory::format_tag;

constexpr size_t kMostSteps = 20000;
constexpr int kLosses = 3, kStatefulSteps = 4;

int threads = 1;
dnnl::engine& engine() {
  static dnnl::engine it(dnnl::engine::kind::cpu, 0);
  return it;
}
dnnl::stream& stream() {
  static dnnl::stream it(engine());
  return it;
}

struct Job {
  std::string cell, mode, loss, data;
  int B, T, D, H, L, V, K, G;
  bool stateful;
  bool trains() const { return mode == "train"; }
};

Job parse(std::istringstream& words) {
  std::map<std::string, std::string> given;
  std::string word;
  while (words >> word) given[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
  const auto whole = [&](const char* key) { return std::stoi(given.at(key)); };
  return {given.at("cell"), given.at("mode"), given.at("loss"), given.at("data"),
          whole("B"),       whole("T"),       whole("D"),       whole("H"),
          whole("L"),       whole("V"),       whole("K"),       whole("G"),
          whole("stateful") != 0};
}

template <typename Number>
std::vector<Number> read(const Job& job, const std::string& tensor) {
  const std::string name = job.data + "/" + tensor + ".bin";
  std::ifstream file(name, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("no file " + name);
  std::vector<Number> numbers(size_t(file.tellg()) / sizeof(Number));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(numbers.data()), numbers.size() * sizeof(Number));
  return numbers;
}

float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

memory zeros(const memory::desc& desc) {
  memory m(desc, engine());
  std::memset(m.get_data_handle(), 0, desc.get_size());
  return m;
}

// Weights with gradient and moments; the update is Keras' and the paper's form of Adam.
struct Param {
  Floats w, g, m, v;

  explicit Param(Floats values = {}) : w(std::move(values)), g(w.size()), m(w.size()), v(w.size()) {}

  void adam(long step) {
    const float rate = 1e-3f * std::sqrt(1 - std::pow(0.999f, float(step))) / (1 - std::pow(0.9f, float(step)));
    const long n = long(w.size());
    float *pw = w.data(), *pg = g.data(), *pm = m.data(), *pv = v.data();
#pragma omp parallel for simd num_threads(threads) schedule(static) if (n > 16384 && threads > 1)
    for (long i = 0; i < n; i++) {
      pm[i] = 0.9f * pm[i] + 0.1f * pg[i];
      pv[i] = 0.999f * pv[i] + 0.001f * pg[i] * pg[i];
      pw[i] -= rate * pm[i] / (std::sqrt(pv[i]) + 1e-8f);
    }
  }
};

class Layer {
 public:
  memory x, y, dx, dy;  // [T, B, D], [T, B, H]

  Layer(const Job& job, int l)
      : job_(job), D_(l == 0 ? job.D : job.H), lbr_(job.cell == "lbr_gru"), lstm_(job.cell == "lstm") {
    const std::string n = std::to_string(l);
    W_ = Param(read<float>(job, "W" + n));
    U_ = Param(read<float>(job, "U" + n));
    b_ = Param(read<float>(job, "b" + n));
    if (lbr_) c_ = Param(read<float>(job, "c" + n));
    biases_ = lbr_ ? 4 : job.G;
    state_ = memory::desc({1, 1, job.B, job.H}, memory::data_type::f32, tag::ldnc);
    bias_ = zeros(memory::desc({1, 1, biases_, job.H}, memory::data_type::f32, tag::ldgo));
    d_bias_ = zeros(bias_.get_desc());
    for (memory* m : {&h_, &c0_, &h_last_, &c_last_, &dh_, &dc_, &dh_last_, &dc_last_}) *m = zeros(state_);
    if (lstm_) {
      build_lstm();
    } else if (job.cell == "gru") {
      build<dnnl::gru_forward, dnnl::gru_backward>();
    } else if (lbr_) {
      build<dnnl::lbr_gru_forward, dnnl::lbr_gru_backward>();
    } else if (job.cell == "rnn") {
      build_rnn();
    } else {
      throw std::runtime_error("unknown cell " + job.cell);
    }
    pack();
  }

  void pack() {
    copy(plain(W_.w, D_), fW_, to_fW_);
    copy(plain(U_.w, job_.H), fU_, to_fU_);
    const size_t H = size_t(job_.H);
    std::copy(b_.w.begin(), b_.w.end(), floats(bias_));
    if (!lbr_) return;
    // One bias for z and r, two for g: ours has two of each, and their sums count.
    for (size_t i = 0; i < 2 * H; i++) floats(bias_)[i] += c_.w[i];
    std::copy(c_.w.begin() + 2 * H, c_.w.end(), floats(bias_) + 3 * H);
  }

  void pack_backward() {
    copy(plain(W_.w, D_), bW_, to_bW_);
    copy(plain(U_.w, job_.H), bU_, to_bU_);
  }

  void forward() {
    Arguments a = forward_arguments(fW_, fU_);
    forward_.execute(stream(), a);
    stream().wait();
    if (!job_.stateful) return;
    std::memcpy(floats(h_), floats(h_last_), state_.get_size());
    if (lstm_) std::memcpy(floats(c0_), floats(c_last_), state_.get_size());
  }

  void backward() {
    for (const memory* m : {&dW_, &dU_, &d_bias_}) std::memset(m->get_data_handle(), 0, m->get_desc().get_size());
    Arguments a = forward_arguments(bW_, bU_);
    a.insert({{DNNL_ARG_DIFF_SRC_LAYER, dx},
              {DNNL_ARG_DIFF_SRC_ITER, dh_},
              {DNNL_ARG_DIFF_WEIGHTS_LAYER, dW_},
              {DNNL_ARG_DIFF_WEIGHTS_ITER, dU_},
              {DNNL_ARG_DIFF_BIAS, d_bias_},
              {DNNL_ARG_DIFF_DST_LAYER, dy},
              {DNNL_ARG_DIFF_DST_ITER, dh_last_}});
    if (lstm_) a.insert({{DNNL_ARG_DIFF_SRC_ITER_C, dc_}, {DNNL_ARG_DIFF_DST_ITER_C, dc_last_}});
    backward_.execute(stream(), a);
    stream().wait();
    copy(dW_, plain(W_.g, D_), from_dW_);
    copy(dU_, plain(U_.g, job_.H), from_dU_);
    const size_t H = size_t(job_.H);
    std::copy_n(floats(d_bias_), b_.g.size(), b_.g.data());
    if (!lbr_) return;
    std::copy_n(floats(d_bias_), 2 * H, c_.g.data());
    std::copy_n(floats(d_bias_) + 3 * H, H, c_.g.data() + 2 * H);
  }

  void update(long step) {
    for (Param* p : {&W_, &U_, &b_, &c_}) p->adam(step);
  }

 private:
  static memory::desc any(memory::dims dims) { return {dims, memory::data_type::f32, tag::any}; }
  memory plain(Floats& values, int rows) const {
    return {{{1, 1, rows, job_.G, job_.H}, memory::data_type::f32, tag::ldigo}, engine(), values.data()};
  }
  memory::desc sequence(int width) const { return {{job_.T, job_.B, width}, memory::data_type::f32, tag::tnc}; }
  memory::desc W_desc() const { return any({1, 1, D_, job_.G, job_.H}); }
  memory::desc U_desc() const { return any({1, 1, job_.H, job_.G, job_.H}); }
  dnnl::prop_kind kind() const {
    return job_.trains() ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  }

  static void copy(memory from, memory to, std::unique_ptr<dnnl::reorder>& with) {
    if (!with) with = std::make_unique<dnnl::reorder>(from, to);
    with->execute(stream(), from, to);
    stream().wait();
  }

  Arguments forward_arguments(const memory& W, const memory& U) const {
    Arguments a = {{DNNL_ARG_SRC_LAYER, x},   {DNNL_ARG_SRC_ITER, h_},  {DNNL_ARG_WEIGHTS_LAYER, W},
                   {DNNL_ARG_WEIGHTS_ITER, U}, {DNNL_ARG_BIAS, bias_},   {DNNL_ARG_DST_LAYER, y},
                   {DNNL_ARG_DST_ITER, h_last_}};
    if (lstm_) a.insert({{DNNL_ARG_SRC_ITER_C, c0_}, {DNNL_ARG_DST_ITER_C, c_last_}});
    if (job_.trains()) a.insert({DNNL_ARG_WORKSPACE, workspace_});
    return a;
  }

  template <typename Primitive, typename Description>
  void take_forward(const Description& d) {
    forward_ = Primitive(d);
    fW_ = memory(d.weights_layer_desc(), engine());
    fU_ = memory(d.weights_iter_desc(), engine());
    x = zeros(d.src_layer_desc());
    y = zeros(d.dst_layer_desc());
    if (job_.trains()) workspace_ = memory(d.workspace_desc(), engine());
  }

  template <typename Primitive, typename Description>
  void take_backward(const Description& d) {
    backward_ = Primitive(d);
    bW_ = memory(d.weights_layer_desc(), engine());
    bU_ = memory(d.weights_iter_desc(), engine());
    dx = zeros(d.diff_src_layer_desc());
    dy = zeros(d.diff_dst_layer_desc());
    dW_ = memory(d.diff_weights_layer_desc(), engine());
    dU_ = memory(d.diff_weights_iter_desc(), engine());
  }

  static constexpr auto kDirection = dnnl::rnn_direction::unidirectional_left2right;
  static constexpr auto kBackward = dnnl::prop_kind::backward;

  void build_lstm() {
    using Forward = dnnl::lstm_forward;
    using Backward = dnnl::lstm_backward;
    const memory::desc xs = sequence(D_), ys = sequence(job_.H), s = state_, W = W_desc(), U = U_desc(),
                       b = bias_.get_desc();
    const Forward::primitive_desc forward({kind(), kDirection, xs, s, s, W, U, b, ys, s, s}, engine());
    take_forward<Forward>(forward);
    if (!job_.trains()) return;
    const Backward::desc back(kBackward, kDirection, xs, s, s, W, U, b, ys, s, s, xs, s, s, W, U, b, ys, s, s);
    take_backward<Backward>(Backward::primitive_desc(back, engine(), forward));
  }

  template <typename Forward, typename Backward>
  void build() {
    const memory::desc xs = sequence(D_), ys = sequence(job_.H), s = state_, W = W_desc(), U = U_desc(),
                       b = bias_.get_desc();
    const typename Forward::primitive_desc forward({kind(), kDirection, xs, s, W, U, b, ys, s}, engine());
    take_forward<Forward>(forward);
    if (!job_.trains()) return;
    const typename Backward::desc back(kBackward, kDirection, xs, s, W, U, b, ys, s, xs, s, W, U, b, ys, s);
    take_backward<Backward>(typename Backward::primitive_desc(back, engine(), forward));
  }

  void build_rnn() {
    using Forward = dnnl::vanilla_rnn_forward;
    using Backward = dnnl::vanilla_rnn_backward;
    const auto tanh = dnnl::algorithm::eltwise_tanh;
    const memory::desc xs = sequence(D_), ys = sequence(job_.H), s = state_, W = W_desc(), U = U_desc(),
                       b = bias_.get_desc();
    const Forward::primitive_desc forward({kind(), tanh, kDirection, xs, s, W, U, b, ys, s}, engine());
    take_forward<Forward>(forward);
    if (!job_.trains()) return;
    const Backward::desc back(kBackward, tanh, kDirection, xs, s, W, U, b, ys, s, xs, s, W, U, b, ys, s);
    take_backward<Backward>(Backward::primitive_desc(back, engine(), forward));
  }

  const Job job_;
  const int D_;
  const bool lbr_, lstm_;
  int biases_;
  Param W_, U_, b_, c_;
  memory::desc state_;
  dnnl::primitive forward_, backward_;
  memory fW_, fU_, bW_, bU_, dW_, dU_, workspace_, bias_, d_bias_;
  memory h_, c0_, h_last_, c_last_, dh_, dc_, dh_last_, dc_last_;
  std::unique_ptr<dnnl::reorder> to_fW_, to_fU_, to_bW_, to_bU_, from_dW_, from_dU_;
};

class Model {
 public:
  Floats outputs;  // [B, K], or [B, H] when K is 0; after their activation

  explicit Model(const Job& job) : job_(job) {
    for (int l = 0; l < job.L; l++) layers_.push_back(std::make_unique<Layer>(job, l));
    const int64_t B = job.B, T = job.T, D = job.D;
    if (job.V) {
      embedding_ = Param(read<float>(job, "embedding"));
      const std::vector<int32_t> x = read<int32_t>(job, "x");
      for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < B; b++) words_.push_back(x[size_t(b * T + t)]);
    } else {
      const Floats x = read<float>(job, "x");
      float* to = floats(layers_[0]->x);
      for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < B; b++) std::copy_n(&x[size_t((b * T + t) * D)], D, to + (t * B + b) * D);
    }
    outputs.resize(size_t(B * (job.K ? job.K : job.H)));
    if (!job.K) return;
    W_ = Param(read<float>(job, "dense_W"));
    b_ = Param(read<float>(job, "dense_b"));
    y_ = read<float>(job, "y");
    dy_.resize(outputs.size());
  }

  void predict() {
    forward();
    activate();
  }

  double train() {
    for (auto& layer : layers_) {
      layer->pack();
      layer->pack_backward();
    }
    forward();
    activate();
    const double loss = gradient();
    backward();
    step_++;
    for (auto& layer : layers_) layer->update(step_);
    for (Param* p : {&W_, &b_, &embedding_}) p->adam(step_);
    return loss;
  }

 private:
  size_t row_bytes() const { return size_t(job_.T) * size_t(job_.B) * size_t(job_.H) * sizeof(float); }
  float* last(const memory& sequence) const {  // step T-1, [B, H]
    return floats(sequence) + int64_t(job_.T - 1) * job_.B * job_.H;
  }

  void forward() {
    if (job_.V)
      for (size_t i = 0; i < words_.size(); i++)
        std::copy_n(&embedding_.w[size_t(words_[i]) * size_t(job_.D)], job_.D, floats(layers_[0]->x) + i * size_t(job_.D));
    for (size_t l = 0; l < layers_.size(); l++) {
      if (l > 0) std::memcpy(floats(layers_[l]->x), floats(layers_[l - 1]->y), row_bytes());
      layers_[l]->forward();
    }
    const float* h = last(layers_.back()->y);
    if (!job_.K) {
      std::copy_n(h, outputs.size(), outputs.data());
      return;
    }
    for (int b = 0; b < job_.B; b++) std::copy_n(b_.w.data(), job_.K, &outputs[size_t(b) * size_t(job_.K)]);
    dnnl_sgemm('N', 'N', job_.B, job_.K, job_.H, 1, h, job_.H, W_.w.data(), job_.K, 1, outputs.data(), job_.K);
  }

  void activate() {
    if (job_.loss == "bce")
      for (float& v : outputs) v = 1 / (1 + std::exp(-v));
    if (job_.loss != "ce") return;
    for (int b = 0; b < job_.B; b++) {
      float *row = &outputs[size_t(b) * size_t(job_.K)], *end = row + job_.K;
      const float most = *std::max_element(row, end);
      float sum = 0;
      for (float* v = row; v < end; v++) sum += *v = std::exp(*v - most);
      for (float* v = row; v < end; v++) *v /= sum;
    }
  }

  // The loss, and dy_ = its gradient by the outputs before their activation.
  double gradient() {
    double loss = 0;
    const float B = float(job_.B), n = float(outputs.size());
    for (size_t i = 0; i < outputs.size(); i++) {
      const float p = outputs[i], y = y_[i];
      if (job_.loss == "mse") {
        loss += (p - y) * (p - y) / n;
        dy_[i] = 2 * (p - y) / n;
      } else if (job_.loss == "bce") {
        loss -= (y * std::log(p) + (1 - y) * std::log(1 - p)) / n;
        dy_[i] = (p - y) / n;
      } else {
        if (y > 0) loss -= y * std::log(p) / B;
        dy_[i] = (p - y) / B;
      }
    }
    return loss;
  }

  void backward() {
    const float* h = last(layers_.back()->y);
    dnnl_sgemm('T', 'N', job_.H, job_.K, job_.B, 1, h, job_.H, dy_.data(), job_.K, 0, W_.g.data(), job_.K);
    std::fill(b_.g.begin(), b_.g.end(), 0.f);
    for (size_t i = 0; i < dy_.size(); i++) b_.g[i % size_t(job_.K)] += dy_[i];
    float* dh = last(layers_.back()->dy);  // the other steps stay zero
    dnnl_sgemm('N', 'T', job_.B, job_.H, job_.K, 1, dy_.data(), job_.K, W_.w.data(), job_.K, 0, dh, job_.H);
    for (size_t l = layers_.size(); l-- > 0;) {
      layers_[l]->backward();
      if (l > 0) std::memcpy(floats(layers_[l - 1]->dy), floats(layers_[l]->dx), row_bytes());
    }
    if (!job_.V) return;
    std::fill(embedding_.g.begin(), embedding_.g.end(), 0.f);
    const size_t D = size_t(job_.D);
    for (size_t i = 0; i < words_.size(); i++)
      for (size_t d = 0; d < D; d++) embedding_.g[size_t(words_[i]) * D + d] += floats(layers_[0]->dx)[i * D + d];
  }

  const Job job_;
  std::vector<std::unique_ptr<Layer>> layers_;
  Param embedding_, W_, b_;
  std::vector<int32_t> words_;  // [T, B]
  Floats y_, dy_;               // [B, K]
  long step_ = 0;
};

void print(const char* name, const std::vector<double>& numbers, const std::string& rest = "") {
  std::printf("{\"%s\":[", name);
  for (size_t i = 0; i < numbers.size(); i++) std::printf("%s%.9g", i > 0 ? "," : "", numbers[i]);
  std::printf("]%s}\n", rest.c_str());
}

void show(Model& model, const Job& job) {
  std::vector<double> shown;
  if (job.trains()) {
    for (int i = 0; i < kLosses; i++) shown.push_back(model.train());
    return print("losses", shown);
  }
  for (int i = 0; i < (job.stateful ? kStatefulSteps : 1); i++) model.predict();
  print("outputs", std::vector<double>(model.outputs.begin(), model.outputs.end()));
}

void run(Model& model, const Job& job, double seconds) {
  using Clock = std::chrono::steady_clock;
  using Ms = std::chrono::duration<double, std::milli>;
  std::vector<double> times;
  const Clock::time_point begin = Clock::now();
  Clock::time_point to = begin;
  while (Ms(to - begin).count() < seconds * 1000 && times.size() < kMostSteps) {
    const Clock::time_point from = Clock::now();
    if (job.trains()) {
      model.train();
    } else {
      model.predict();
    }
    to = Clock::now();
    times.push_back(Ms(to - from).count());
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  print("times", times, ",\"rssMiB\":" + std::to_string(double(usage.ru_maxrss) / 1024));
}

}  // namespace

int main(int argc, char** argv) {
  threads = argc > 1 ? std::atoi(argv[1]) : 1;
  omp_set_num_threads(threads);
  const dnnl_version_t* version = dnnl_version();
  std::printf("{\"version\":\"%d.%d.%d\"}\n", version->major, version->minor, version->patch);
  std::fflush(stdout);
  std::unique_ptr<Model> model;
  Job job;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    try {
      if (command == "prepare") {
        job = parse(words);
        model = std::make_unique<Model>(job);
        show(*model, job);
      } else {
        double seconds = 0;
        words >> seconds;
        run(*model, job, seconds);
      }
    } catch (const std::exception& error) {
      std::printf("{\"error\":\"%s\"}\n", error.what());
    }
    std::fflush(stdout);
  }
}
