// As device/cpu/ops/embedding.cc: y[t, b, :] = W[id[b, t], :].
//
// The host reads the ids before the work of a batch begins, since a wrong one is an error that says
// where it stands. So it is the host, too, that groups the steps of a word for backward, there:
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
    list_.clear();
    if (!d.training() || !trainable()) return;
    most_words_ = std::min(steps_, V_), most_pieces_ = steps_ / kPiece + most_words_;
    parts_ = d.scratch("sums of pieces", {most_pieces_, D_});
    word_of_.assign(size_t(V_), -1);
    next_.resize(size_t(most_words_));
    list_.resize(size_t(2 + steps_ + most_pieces_ + 1 + most_words_ + 1 + most_words_));
    grouped_.reserve(int64_t(list_.size()));
  }

  void look(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    this->q.download(ids_.data(), p.x[0], steps_ * int64_t(sizeof(real)));
    check_ids(ids_.data(), steps_, T);
    if (!list_.empty()) group(B, T);
  }

  void forward(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    if (!p.looked) look(p);
    const real* const factor = active(p) ? p.at(factor_) : nullptr;  // [V]
    if (factor) dropout_mask(this->q, p.at(factor_), V_, p_, p.dropout, stream() * 16);
    this->q.launch(
        "embed", EmbedArgs<real>{T * B * D_, T, B, D_, p.y, p.mask_out, p.at(W_), p.x[0], factor});
  }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) this->q.zero(p.dx[0], steps_ * int64_t(sizeof(real)));
    if (!trainable()) return;
    real* const dW = p.grad(W_);  // [V, D]
    this->q.zero(dW, V_ * D_ * int64_t(sizeof(real)));
    rows_->write_all();
    const Groups g = groups(grouped_.data());
    this->q.launch("embed_parts", EmbedPartsArgs<real>{most_pieces_ * D_, D_, p.at(parts_), p.dy,
                                                       g.order, g.first_step, g.pieces});
    this->q.launch("embed_sums",
                   EmbedSumsArgs<real>{most_words_ * D_, D_, dW, p.at(parts_), g.first_piece, g.ids,
                                       g.words, active(p) ? p.at(factor_) : nullptr});
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  struct Groups {
    int32_t *pieces, *words;  // how many there are
    int32_t* order;           // [T B] steps t B + b, word after word
    int32_t* first_step;      // [pieces + 1] in order
    int32_t* first_piece;     // [words + 1]
    int32_t* ids;             // [words] in the order in which they come up
  };
  // Where they lie in list_, or in grouped_ on the card.
  Groups groups(int32_t* list) const {
    int32_t *const order = list + 2, *const first_step = order + steps_,
                   *const first_piece = first_step + most_pieces_ + 1;
    return {list, list + 1, order, first_step, first_piece, first_piece + most_words_ + 1};
  }

  // Of the ids that have been read. Allocates nothing, so that word_of_ is always put back.
  void group(int64_t B, int64_t T) {
    const Groups g = groups(list_.data());
    int32_t *const order = g.order, *const first_step = g.first_step,
                   *const first_piece = g.first_piece, *const ids = g.ids;
    const auto id_at = [&](int64_t s) { return size_t(int64_t(ids_[size_t(s % B * T + s / B)])); };
    int32_t words = 0, pieces = 0, from = 0;
    for (int64_t s = 0; s < steps_; s++) {
      int32_t& word = word_of_[id_at(s)];
      if (word < 0) {
        word = words++;
        ids[word] = static_cast<int32_t>(id_at(s));
        next_[size_t(word)] = 0;
      }
      next_[size_t(word)]++;
    }
    for (int32_t word = 0; word < words; word++) {  // from counts to where the next step goes
      const int32_t end = from + next_[size_t(word)];
      first_piece[word] = pieces;
      for (int32_t at = from; at < end; at += kPiece) first_step[pieces++] = at;
      next_[size_t(word)] = from, from = end;
    }
    first_piece[words] = pieces, first_step[pieces] = from;
    for (int64_t s = 0; s < steps_; s++)
      order[next_[size_t(word_of_[id_at(s)])]++] = static_cast<int32_t>(s);
    for (int32_t word = 0; word < words; word++) word_of_[size_t(ids[word])] = -1;

    *g.pieces = pieces, *g.words = words;
    this->q.upload(grouped_.data(), list_.data(), int64_t(list_.size() * sizeof(int32_t)));
  }

  int64_t steps_ = 0;      // T * B
  std::vector<real> ids_;  // [B, T]
  int64_t most_words_ = 0, most_pieces_ = 0;
  std::vector<int32_t> word_of_;  // [V]; -1 between batches
  std::vector<int32_t> next_;     // [words]
  std::vector<int32_t> list_;     // what Groups points to, here and there
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
