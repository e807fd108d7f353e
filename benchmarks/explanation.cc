// See explanation.h.
#include "explanation.h"

#include <fstream>
#include <nlohmann/json.hpp>

std::string readExplanation(const char *file, const std::vector<uint64_t> &flops, std::vector<Expectation> *kernels) {
  std::ifstream in(file);
  if (!in) return std::string(file) + ": can not be read";
  kernels->assign(flops.size(), Expectation{});
  try {
    nlohmann::json content = nlohmann::json::parse(in);
    double peak = content.at("target").at("flops_per_cycle").get<double>();
    for (const nlohmann::json &step : content.at("steps")) {
      uint64_t index = step.at("kernel").get<uint64_t>();
      if (index >= flops.size() || step.at("flops").get<uint64_t>() != flops[index])
        return std::string(file) + ": explains another module";
      Expectation &kernel = (*kernels)[index];
      kernel.flops += step.at("flops").get<double>();
      kernel.cycles += step.at("cycles").get<double>();
      if (peak > 0 && kernel.cycles > 0) kernel.share = kernel.flops / (peak * kernel.cycles);
    }
  } catch (const nlohmann::json::exception &error) {
    return std::string(file) + ": no explanation of crosscut-compile: " + error.what();
  }
  return "";
}
