// SPDX-License-Identifier: Apache-2.0
//
// Picks the row of a kernel by element type: Row<T>(table, name) is table.name_f32 or table.name_f64.

#pragma once

#include <type_traits>

#include "kernel_table.h"

namespace lanewise::internal {

template <typename T, class RowF32, class RowF64>
const auto& PickRow(const RowF32* f32, const RowF64* f64) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  if constexpr (std::is_same_v<T, float>) {
    return *f32;
  } else {
    return *f64;
  }
}

}  // namespace lanewise::internal

#define LANEWISE_ROW_OF(T, table, name) (::lanewise::internal::PickRow<T>((table).name##_f32, (table).name##_f64))
