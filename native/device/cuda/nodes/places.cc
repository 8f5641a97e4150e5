// Nodes that choose, move and repeat numbers: indices, parts, shapes.
#include <algorithm>

#include "device/cuda/nodes/run.h"
#include "device/cuda/ops/parts/words.h"

namespace hs {
namespace {

// ---- indices

template <typename real>
NodeIndexArgs<real> indexed(NodeIndex op, real* to, const real* from) {
  NodeIndexArgs<real> a = {};
  a.op = op, a.to = to, a.from = from;
  return a;
}
template <typename real>
int64_t width_of(const CardCall<real>& c) {  // numbers of a row
  const Dims& dims = c.x_dims(0);
  return count(Dims(dims.begin() + 1, dims.end()));
}
template <typename real>
void gather(const CardCall<real>& c) {
  NodeIndexArgs<real> a = indexed(NodeIndex::kGather, c.y(), c.x(0));
  a.V = c.x_dims(0)[0], a.width = width_of(c), a.index = c.x(1);
  a.n = count(c.x_dims(1)) * a.width;
  c.k->launch("node_index", a);
}
template <typename real>
void gather_back(const CardCall<real>& c, int, real* dx, bool add) {
  const int64_t V = c.x_dims(0)[0];
  const real* const no_factor = nullptr;
  add_by_word(*c.k, dx, V, width_of(c), c.dy(), c.x(1), count(c.x_dims(1)), 1, no_factor, add);
}
template <typename real>
void pick(const CardCall<real>& c) {
  NodeIndexArgs<real> a = indexed(NodeIndex::kPick, c.y(), c.x(0));
  a.V = c.x_dims(0).back(), a.n = count(c.y_dims()), a.index = c.x(1);
  c.k->launch("node_index", a);
}
template <typename real>
void pick_back(const CardCall<real>& c, int, real* dx, bool add) {
  NodeIndexArgs<real> a = indexed(NodeIndex::kPickBack, dx, c.dy());
  a.V = c.x_dims(0).back(), a.index = c.x(1);
  a.n = count(c.y_dims()) * a.V, a.adds = add;
  c.k->launch("node_index", a);
}
template <typename real>
void one_hot(const CardCall<real>& c) {
  NodeIndexArgs<real> a = indexed<real>(NodeIndex::kOneHot, c.y(), nullptr);
  a.V = c.node().count, a.index = c.x(0);
  a.n = count(c.x_dims(0)) * a.V;
  c.k->launch("node_index", a);
}

// ---- moves: of the numbers of a part, in the order of its extents

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

// to[...] = or += from[...] over `dims`, each with its strides.
template <typename real>
void move(const CardCall<real>& c, real* to, const Dims& to_strides, const real* from,
          const Dims& from_strides, const Dims& dims, bool add) {
  NodeMoveArgs<real> a = {};
  a.n = count(dims), a.adds = add, a.to = to, a.from = from;
  for (size_t d = 0; d < dims.size(); d++) {
    if (dims[d] == 1) continue;
    if (a.loop.rank == kMostDims)
      fail(Code::kInternal, "device 'cuda'", "axes of a value that is moved",
           std::to_string(kMostDims) + " at most", "more");
    a.loop.dims[a.loop.rank] = dims[d];
    a.loop.stride[0][a.loop.rank] = from_strides[d];
    a.loop.stride[1][a.loop.rank] = to_strides[d];
    a.loop.rank++;
  }
  c.k->launch("node_move", a);
}

// Where argument i of a concat begins in y.
template <typename real>
int64_t part_begin(const CardCall<real>& c, int i) {
  const size_t axis = size_t(c.node().axis);
  int64_t from = 0;
  for (int j = 0; j < i; j++) from += c.x_dims(j)[axis];
  return from * strides_of(c.y_dims())[axis];
}
template <typename real>
void concat(const CardCall<real>& c) {
  for (int i = 0; i < static_cast<int>(c.node().args.size()); i++) {
    const Dims& x = c.x_dims(i);
    move(c, c.y() + part_begin(c, i), strides_of(c.y_dims()), c.x(i), strides_of(x), x, false);
  }
}
template <typename real>
void concat_back(const CardCall<real>& c, int i, real* dx, bool add) {
  const Dims& x = c.x_dims(i);
  move(c, dx, strides_of(x), c.dy() + part_begin(c, i), strides_of(c.y_dims()), x, add);
}

// The strides of y's axes in x, and where y begins there.
template <typename real>
Dims slice_strides(const CardCall<real>& c, int64_t* begin) {
  const Node& node = c.node();
  const size_t axis = size_t(node.axis);
  Dims strides = strides_of(c.x_dims(0));
  *begin = slice_of(node, c.x_dims(0)[axis]).first * strides[axis];
  strides[axis] *= node.step;
  return strides;
}
template <typename real>
void slice(const CardCall<real>& c) {
  int64_t begin = 0;
  const Dims strides = slice_strides(c, &begin);
  move(c, c.y(), strides_of(c.y_dims()), c.x(0) + begin, strides, c.y_dims(), false);
}
template <typename real>
void slice_back(const CardCall<real>& c, int, real* dx, bool add) {
  int64_t begin = 0;
  const Dims strides = slice_strides(c, &begin);
  const bool part = c.frame.parts[size_t(c.index)] != 0;
  if (!part && !add) c.k->fill(dx, real(0), count(c.x_dims(0)));
  move(c, dx + begin, strides, c.dy(), strides_of(c.y_dims()), c.y_dims(), !part);
}

template <typename real>
void full(const CardCall<real>& c) {
  c.k->fill(c.y(), real(c.node().value), count(c.y_dims()));
}
template <typename real>
void same(const CardCall<real>& c) {
  copy_numbers(c.k, c.y(), c.x(0), count(c.y_dims()));
}
template <typename real>
void same_back(const CardCall<real>& c, int, real* dx, bool add) {
  const int64_t n = count(c.y_dims());
  add ? c.k->add(dx, c.dy(), n) : copy_numbers(c.k, dx, c.dy(), n);
}

template <typename real>
Dims permuted_strides(const CardCall<real>& c) {
  const Dims x = strides_of(c.x_dims(0));
  Dims strides;
  for (int64_t axis : c.node().dims) strides.push_back(x[size_t(axis)]);
  return strides;
}
template <typename real>
void permute(const CardCall<real>& c) {
  move(c, c.y(), strides_of(c.y_dims()), c.x(0), permuted_strides(c), c.y_dims(), false);
}
template <typename real>
void permute_back(const CardCall<real>& c, int, real* dx, bool add) {
  move(c, dx, permuted_strides(c), c.dy(), strides_of(c.y_dims()), c.y_dims(), add);
}

template <typename real>
void broadcast(const CardCall<real>& c) {
  copy_broadcast(c.k, c.y(), c.y_dims(), c.x(0), c.x_dims(0));
}
template <typename real>
void broadcast_back(const CardCall<real>& c, int, real* dx, bool add) {
  if (!add) c.k->fill(dx, real(0), count(c.x_dims(0)));
  add_broadcast(c.k, dx, c.x_dims(0), real(1), c.dy(), c.y_dims());
}

// Each number of an axis `count` times: x as [outer, n, 1, inner], y as [outer, n, count, inner].
struct Repeated {
  Dims x, y;
};
template <typename real>
Repeated repeated(const CardCall<real>& c) {
  Dims x = c.x_dims(0);
  x.insert(x.begin() + c.node().axis + 1, 1);
  Dims y = x;
  y[size_t(c.node().axis) + 1] = c.node().count;
  return {x, y};
}
template <typename real>
void repeat(const CardCall<real>& c) {
  const Repeated r = repeated(c);
  copy_broadcast(c.k, c.y(), r.y, c.x(0), r.x);
}
template <typename real>
void repeat_back(const CardCall<real>& c, int, real* dx, bool add) {
  const Repeated r = repeated(c);
  if (!add) c.k->fill(dx, real(0), count(r.x));
  add_broadcast(c.k, dx, r.x, real(1), c.dy(), r.y);
}

}  // namespace

template <typename real>
const CardRun<real>* card_place_runs() {
  static constexpr CardRun<real> runs[] = {
      {"gather", keeps_second, 2, true, gather, gather_back, nullptr},
      {"pick", keeps_second, 2, true, pick, pick_back, nullptr},
      {"one_hot", keeps_nothing, 1, false, one_hot, nullptr, nullptr},
      {"concat", keeps_nothing, 0, true, concat, concat_back, nullptr},
      {"slice", keeps_nothing, 0, true, slice, slice_back, nullptr},
      {"full", keeps_nothing, 1, false, full, nullptr, nullptr},
      {"reshape", keeps_nothing, 0, true, same, same_back, nullptr},
      {"stop_gradient", keeps_nothing, 1, false, same, nullptr, nullptr},
      {"permute", keeps_nothing, 0, true, permute, permute_back, nullptr},
      {"broadcast", keeps_nothing, 2, true, broadcast, broadcast_back, nullptr},
      {"repeat", keeps_nothing, 0, true, repeat, repeat_back, nullptr},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
template const CardRun<float>* card_place_runs<float>();
template const CardRun<double>* card_place_runs<double>();

}  // namespace hs
