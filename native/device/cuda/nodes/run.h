// How nodes run on a card, and what programs ask of its queue besides (ops/expression_run.h,
// ops/scan_run.h).
#pragma once
#include "device/cuda/kernels/node_args.h"
#include "device/cuda/queue.h"
#include "ops/tape.h"

namespace hs {

template <typename real>
using CardCall = NodeCall<real, CardQueue>;
template <typename real>
using CardRun = NodeRun<real, CardQueue>;

// The lists that find_run looks through; each ends with a name of nullptr.
template <typename real>
const CardRun<real>* card_elementwise_runs();
template <typename real>
const CardRun<real>* card_sum_runs();
template <typename real>
const CardRun<real>* card_place_runs();

// The axes of y, from the first, and the strides of operands that are broadcast to it (0 there);
// axes that all treat alike are one. kMostDims at most, as values of programs have.
NodeLoop node_loop(const Dims& y, const std::vector<const Dims*>& operands);
// The parts of a loop over which operand `which` goes on, and stays where it is: it is the result.
NodePlaces split_loop(const NodeLoop& loop, int which);
// Sums to n results, in two halves where they are long; of the arguments all but n and places are
// there. loop: over all places; the operands of a sum are x and y, of slopes a, b, dy and dx.
template <typename real>
void sum_places(CardQueue* q, NodeSumArgs<real> a, int64_t n, const NodeLoop& loop);
template <typename real>
void sum_slopes(CardQueue* q, NodeBackArgs<real> a, int64_t n, const NodeLoop& loop);

template <typename real>
void copy_numbers(CardQueue* q, real* to, const real* from, int64_t n) {
  q->copy(to, from, n * int64_t(sizeof(real)));
}
// y [y_dims] = x [x_dims], which is broadcast to it.
template <typename real>
void copy_broadcast(CardQueue* q, real* y, const Dims& y_dims, const real* x, const Dims& x_dims);
// x [x_dims] += a * y [y_dims], summed over the places that x is broadcast to.
template <typename real>
void add_broadcast(CardQueue* q, real* x, const Dims& x_dims, real a, const real* y,
                   const Dims& y_dims);

}  // namespace hs
