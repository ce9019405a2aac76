// SPDX-License-Identifier: Apache-2.0
//
// Picks the row of a kernel by element type: LANEWISE_ROW_OF(T, table, name) is table.name_f32 or table.name_f64,
// GemmRow<T>(table) that of GEMM, which integers have too.

#pragma once

#include <cstdint>
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

template <typename T>
const kernels::GemmKernel<T>& GemmRow(const kernels::KernelTable& table) {
  if constexpr (std::is_same_v<T, std::int32_t>) {
    return *table.gemm_i32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return *table.gemm_i64;
  } else {
    return PickRow<T>(table.gemm_f32, table.gemm_f64);
  }
}

}  // namespace lanewise::internal

#define LANEWISE_ROW_OF(T, table, name) (::lanewise::internal::PickRow<T>((table).name##_f32, (table).name##_f64))
