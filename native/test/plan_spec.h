// Specs for tests of the plan, written down as lib/spec.ts would.
#pragma once
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace hs {
namespace test {

Config number(double value);
Config text(const std::string& value);
Config flag(bool value);
Config list(std::vector<Config> entries);
Config extents(const Dims& dims);  // -1 becomes null
Config tree(std::initializer_list<std::pair<const std::string, Config>> entries);

Config param(const std::string& name, const Dims& dims);
Config& param_of(Config& spec, const std::string& path);  // of a model
// What a model says of an output: value, mask, loss, weight, metrics, temporal.
std::map<std::string, Config>& output_of(Config& spec, size_t i = 0);
Config op(const std::string& kind, const std::string& layer, std::vector<std::string> inputs,
          const std::string& output, Config options, std::vector<Config> params = {});
Config dense(const std::string& layer, const std::string& input, int64_t D, int64_t K,
             const std::string& activation);
Config lstm(const std::string& layer, const std::string& input, int64_t D, int64_t H,
            bool stateful);

// The parameters of the ops become those of the model; two ops that say the same `param` for one
// share it. floatx float64, mean_squared_error, no metrics, SGD with lr 0.1, seed 1, one input
// called "input".
Config model(const Dims& input, std::vector<Config> ops, const std::string& output);

// n numbers in [-scale, scale] that depend on `seed` alone.
std::vector<double> noise(size_t n, unsigned seed, double scale = 1);
Array array(const Dims& dims, std::vector<double> data);
// Every parameter becomes noise.
void fill(Plan& plan, double scale = 0.5);
std::shared_ptr<const DataSet> data(Array x, Array y, Array weights = {});
RunResult run(Plan& plan, Mode mode, std::shared_ptr<const DataSet> data, int64_t batch_size = 1000,
              int64_t max_batches = -1);

// Largest difference between the gradients a plan finds and central differences of its loss,
// relative to the largest gradient of the same parameter; over all of its trainable parameters.
// analytic: the data whose gradients are compared with the differences of `data`; others than those
// give a large error (negative control).
double gradient_error(Plan& plan, const std::shared_ptr<const DataSet>& data,
                      std::shared_ptr<const DataSet> analytic = nullptr);

}  // namespace test
}  // namespace hs
