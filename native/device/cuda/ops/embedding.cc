// As device/cpu/ops/embedding.cc: y[t, b, :] = W[id[b, t], :].
//
// The host reads the ids at forward, since a wrong one is an error that says where it stands. So it
// is the host, too, that groups the steps of a word for backward:
//   parts[piece] = sum of up to kPiece rows of dy of one word   dW[word] = sum of its pieces
// in the order of t, b. Sums over fixed pieces: no atomics, and a word that fills half of the batch
// (padding) does not keep one thread busy for all of it.
#include "ops/embedding.h"

#include <algorithm>

#include "device/cuda/kernels/layer_args.h"
#include "device/cuda/ops/parts/rows.h"
#include "device/cuda/queue_memory.h"

namespace hs {
namespace {

constexpr int32_t kPiece = 32;

template <typename real>
class CudaEmbedding final : public EmbeddingShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaEmbedding(const Config& options, const OpContext& context, CardQueue& queue)
      : EmbeddingShape(options, context), CudaLayer<real>(queue) {}

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y,
               bool masked) override {
    EmbeddingShape::declare(d, x, y, masked);
    steps_ = x[0].size();
  }

  void prepare(Declaration& d) override {
    ids_.resize(size_t(steps_));
    if (!d.training() || !trainable()) return;
    const int64_t words = std::min(steps_, V_), pieces = steps_ / kPiece + words;
    parts_ = d.scratch("sums of pieces", {pieces, D_});
    grouped_.reserve(steps_ + pieces + 1 + words + 1 + words);
    word_of_.assign(size_t(V_), -1);
  }

  void forward(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    this->q.download(ids_.data(), p.x[0], steps_ * int64_t(sizeof(real)));
    check_ids(ids_.data(), steps_, T);
    const real* const factor = active(p) ? p.at(factor_) : nullptr;  // [V]
    if (factor) dropout_mask(this->q, p.at(factor_), V_, p_, p.dropout, stream() * 16);
    this->q.launch(
        "embed", EmbedArgs<real>{T * B * D_, T, B, D_, p.y, p.mask_out, p.at(W_), p.x[0], factor});
  }

  void backward(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    if (p.dx[0]) this->q.zero(p.dx[0], steps_ * int64_t(sizeof(real)));
    if (!trainable()) return;
    real* const dW = p.grad(W_);  // [V, D]
    this->q.zero(dW, V_ * D_ * int64_t(sizeof(real)));
    rows_->write_all();
    const Groups g = group(B, T);
    this->q.launch("embed_parts", EmbedPartsArgs<real>{g.pieces * D_, D_, p.at(parts_), p.dy,
                                                       g.order, g.first_step});
    this->q.launch("embed_sums",
                   EmbedSumsArgs<real>{g.words * D_, D_, dW, p.at(parts_), g.first_piece, g.ids,
                                       active(p) ? p.at(factor_) : nullptr});
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  struct Groups {  // on the card
    int64_t pieces, words;
    const int32_t* order;        // [T B] steps t B + b, word after word
    const int32_t* first_step;   // [pieces + 1] in order
    const int32_t* first_piece;  // [words + 1]
    const int32_t* ids;          // [words] in the order in which they come up
  };

  // Of the ids that forward has read.
  Groups group(int64_t B, int64_t T) {
    std::vector<int32_t> ids, next;  // of each word: its id, where its next step goes
    const auto id_at = [&](int64_t s) { return size_t(int64_t(ids_[size_t(s % B * T + s / B)])); };
    for (int64_t s = 0; s < steps_; s++) {
      int32_t& word = word_of_[id_at(s)];
      if (word < 0) {
        word = static_cast<int32_t>(ids.size());
        ids.push_back(static_cast<int32_t>(id_at(s)));
        next.push_back(0);
      }
      next[size_t(word)]++;
    }
    std::vector<int32_t> order(static_cast<size_t>(steps_)), first_step, first_piece;
    int32_t from = 0;
    for (int32_t& steps : next) {
      const int32_t end = from + steps;
      first_piece.push_back(static_cast<int32_t>(first_step.size()));
      for (int32_t at = from; at < end; at += kPiece) first_step.push_back(at);
      steps = from, from = end;
    }
    first_piece.push_back(static_cast<int32_t>(first_step.size()));
    first_step.push_back(from);
    for (int64_t s = 0; s < steps_; s++)
      order[size_t(next[size_t(word_of_[id_at(s)])]++)] = static_cast<int32_t>(s);
    for (const int32_t id : ids) word_of_[size_t(id)] = -1;

    Groups g = {
        int64_t(first_step.size()) - 1, int64_t(ids.size()), nullptr, nullptr, nullptr, nullptr};
    std::vector<int32_t> all;
    const auto place = [&](const std::vector<int32_t>& list) {
      const int32_t* const at = grouped_.data() + all.size();
      all.insert(all.end(), list.begin(), list.end());
      return at;
    };
    g.order = place(order), g.first_step = place(first_step);
    g.first_piece = place(first_piece), g.ids = place(ids);
    this->q.upload(grouped_.data(), all.data(), int64_t(all.size() * sizeof(int32_t)));
    return g;
  }

  int64_t steps_ = 0;             // T * B
  std::vector<real> ids_;         // [B, T]
  std::vector<int32_t> word_of_;  // [V]; -1 between batches
  QueueMemory memory_{this->q};
  Block<int32_t> grouped_{memory_};
  Tensor parts_;  // [pieces, D]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_embedding(const Config& options, const OpContext& context,
                                                 CardQueue& queue) {
  return std::make_unique<CudaEmbedding<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(embedding)

}  // namespace hs
