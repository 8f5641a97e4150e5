// Costs and decoding of CTC for JavaScript, on the engine thread: `ctcCost` and `ctcDecoder` of
// lib/native.ts.
#pragma once
#include <napi.h>

namespace hs {

// ctcCost({ p, labels, lengths, labelLengths, blank }) -> { done, cancel }
Napi::Value ctc_cost(const Napi::CallbackInfo& info);
// ctcDecoder({ p, lengths, blank, beamWidth, topPaths, ... }) -> run(scores?) -> { done, cancel }
Napi::Value ctc_decoder(const Napi::CallbackInfo& info);

}  // namespace hs
