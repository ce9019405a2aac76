// SPDX-License-Identifier: Apache-2.0

#include "repro_work.h"

#include <cstdint>

#include "repro_parts.h"

namespace lanewise::internal {
namespace {

template <typename T>
void VisitAll(Visitor& visitor) {
  VisitProducts<T>(visitor);
  VisitFunctions<T>(visitor);
  VisitNetworks<T>(visitor);
}

}  // namespace

void ForEachOperation(const std::function<bool(const Operation&)>& visit) {
  Visitor visitor(visit);
  VisitAll<float>(visitor);
  VisitAll<double>(visitor);
  VisitProducts<std::int32_t>(visitor);
  VisitProducts<std::int64_t>(visitor);
}

}  // namespace lanewise::internal
