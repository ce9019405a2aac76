// SPDX-License-Identifier: Apache-2.0
//
// lanewise explain: how a product of a given shape, a function or each layer of a model would be computed here, and
// why.

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "any_model.h"
#include "command.h"
#include "compute.h"
#include "fmt/format.h"
#include "lanewise/gemm.h"
#include "lanewise/names.h"
#include "options.h"

namespace lanewise::cli {
namespace {

struct ExplainSettings {
  explicit ExplainSettings(CLI::App& command);

  std::string what;
  std::string shape;
  std::string type = "f32";
  bool packed = false;
  bool transpose_a = false;
  bool transpose_b = false;
  double alpha = 1;
  std::ptrdiff_t batch = 1;
  // The options that some kinds of WHAT do not have.
  const CLI::Option* type_option;
  const CLI::Option* batch_option;
  std::vector<const CLI::Option*> gemm_options;
};

struct ExplainOptions {
  explicit ExplainOptions(CLI::App& command) : settings(command), isa(command), threads(command), json(command) {}

  ExplainSettings settings;
  IsaOption isa;
  ThreadsOption threads;
  JsonOption json;
};

ExplainSettings::ExplainSettings(CLI::App& command) {
  command
      .add_option("WHAT", what, "gemm; another kernel that `lanewise kernels`\nlists, such as sigmoid; or a model file")
      ->required();
  command.add_option("MxNxK", shape, "For gemm: C (M x N) = A (M x K) * B (K x N)");
  type_option = command.add_option("--type", type, "f32 or f64; for gemm also i32 or i64. A model has\nits own")
                    ->type_name("NAME")
                    ->capture_default_str();
  const CLI::Option* packed_option =
      command.add_flag("--packed", packed, "For gemm: B is packed beforehand, as a model's\nweights are");
  CLI::Option* transpose_a_option =
      command.add_flag("--transpose-a", transpose_a, "For gemm: A is the transpose of a K x M matrix, as\nin X' dZ");
  CLI::Option* transpose_b_option =
      command.add_flag("--transpose-b", transpose_b, "For gemm: B is the transpose of an N x K matrix,\nas in dZ W'")
          ->excludes(command.get_option("--packed"));
  CLI::Option* alpha_option =
      command.add_option("--alpha", alpha, "For gemm: a factor of the product")->type_name("X")->capture_default_str();
  gemm_options = {packed_option, transpose_a_option, transpose_b_option, alpha_option};
  batch_option = command.add_option("--batch", batch, "For a model: samples at once")
                     ->type_name("N")
                     ->check(WholeNumber<std::ptrdiff_t>(1, std::ptrdiff_t{1} << 24))
                     ->capture_default_str();
}

// "64x784x30"
Result<std::array<std::ptrdiff_t, 3>> ParseShape(const std::string& text) {
  std::array<std::ptrdiff_t, 3> sizes = {};
  const char* at = text.data();
  const char* end = at + text.size();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, sizes[i]);
    const bool separated = i + 1 == sizes.size() ? next == end : next != end && *next == 'x';
    // Any product of two such sizes fits.
    if (error != std::errc() || sizes[i] < 0 || sizes[i] > 1 << 24 || !separated) {
      return Invalid(fmt::format("'{}' is no shape; give MxNxK, such as 64x128x784 (each at most {})", text, 1 << 24));
    }
    at = next + 1;
  }
  return sizes;
}

std::optional<ElementType> FindType(std::string_view name) {
  for (const ElementType type : kElementTypes) {
    if (name == Name(type)) return type;
  }
  return std::nullopt;
}

// The kernel of that name, if there is one.
const KernelListing* Find(const Listing& listing, std::string_view name) {
  const auto kernel = std::ranges::find(listing.kernels, name, &KernelListing::kernel);
  return kernel == listing.kernels.end() ? nullptr : &*kernel;
}

Json TiersJson(const KernelListing& kernel) {
  Json tiers = Json::array();
  for (const TierStanding& standing : kernel.tiers) {
    tiers.push_back(Json{{"tier", Name(standing.tier)}, {"reason", standing.reason}});
  }
  return tiers;
}

std::string TiersTable(const KernelListing& kernel) {
  std::vector<std::vector<std::string>> rows = {{"tier", "here"}};
  for (const TierStanding& standing : kernel.tiers) rows.push_back({Name(standing.tier), standing.reason});
  return FormatTable(rows);
}

Json PlanJson(const GemmPlan& plan) {
  return Json{{"kernel", fmt::format("gemm_{}", Name(plan.type))},
              {"m", plan.m},
              {"n", plan.n},
              {"k", plan.k},
              {"packed", plan.pack_b == PackB::kBeforehand},
              {"tier", Name(plan.tier)},
              {"class", Name(ClassOf(plan))},
              {"mr", plan.mr},
              {"nr", plan.nr},
              {"nc", plan.block_panels * plan.nr},
              {"kc", plan.kc},
              {"chains", plan.chains},
              {"tasks", plan.tasks},
              {"explanation", Explain(plan)}};
}

GemmPlan PlanFor(Compute& compute, const GemmShape& shape) {
  return PlanGemm(shape, compute.kernels(), compute.context().machine(), compute.threads());
}

ExitCode ExplainGemm(const ExplainOptions& options, const Listing& listing, Compute& compute) {
  const ExplainSettings& settings = options.settings;
  const Result<std::array<std::ptrdiff_t, 3>> sizes = ParseShape(settings.shape);
  if (!sizes.ok()) return Fail(sizes.status());
  GemmShape shape = {.type = *FindType(settings.type),
                     .m = (*sizes)[0],
                     .n = (*sizes)[1],
                     .k = (*sizes)[2],
                     .b_packed = settings.packed,
                     .scaled = settings.alpha != 1};
  if (settings.transpose_a) {
    shape.a_row_stride = 1;
    shape.a_k_stride = shape.m;
  }
  if (settings.transpose_b) {
    shape.b_k_stride = 1;
    shape.b_column_stride = shape.k;
  }
  const GemmPlan plan = PlanFor(compute, shape);
  const KernelListing& kernel = *Find(listing, "gemm_" + settings.type);
  if (options.json) {
    Json document = PlanJson(plan);
    document["transpose_a"] = settings.transpose_a;
    document["transpose_b"] = settings.transpose_b;
    document["alpha"] = settings.alpha;
    document["tiers"] = TiersJson(kernel);
    PrintJson(document);
  } else {
    Print(Explain(plan) + "\n" + TiersTable(kernel));
  }
  return kOk;
}

ExitCode ExplainFunction(const ExplainOptions& options, const KernelListing& kernel) {
  const std::string_view numeric_class = Name(kernel.Of(kernel.chosen).numeric_class);
  if (options.json) {
    PrintJson(Json{{"kernel", kernel.kernel},
                   {"kind", kernel.kind},
                   {"tier", Name(kernel.chosen)},
                   {"class", numeric_class},
                   {"tiers", TiersJson(kernel)}});
  } else {
    Print(fmt::format("function {} ({})\nkernel   {}\nbits     class {}: the same on every tier of the class, for any "
                      "threads, length and offset\n\n",
                      kernel.kernel, kernel.kind, Name(kernel.chosen), numeric_class) +
          TiersTable(kernel));
  }
  return kOk;
}

template <typename T>
ExitCode ExplainModel(const ExplainOptions& options, const Listing& listing, Compute& compute, const Model<T>& model) {
  const std::string type = Name(kElementType<T>);
  const Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(compute.kernels(), model.network);
  if (!packed.ok()) return Fail(packed.status());
  const std::ptrdiff_t rows = std::min(options.settings.batch, packed->BlockRows(compute.context()));
  Json layers = Json::array();
  std::string text;
  if (rows < options.settings.batch) {
    text = fmt::format("batch    {} samples, in blocks of {}\n\n", options.settings.batch, rows);
  }
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    const auto& layer = model.network.layers()[l];
    const GemmPlan plan =
        PlanFor(compute, {.type = kElementType<T>, .m = rows, .n = layer.outputs, .k = layer.inputs, .b_packed = true});
    std::string function(Name(layer.activation));
    std::ranges::replace(function, '-', '_');
    const KernelListing* kernel = Find(listing, fmt::format("{}_{}", function, type));  // none: identity
    if (options.json) {
      Json document = PlanJson(plan);
      document["activation"] = Name(layer.activation);
      document["activation_tier"] = kernel == nullptr ? Json() : Json(Name(kernel->chosen));
      layers.push_back(std::move(document));
      continue;
    }
    text += fmt::format("{}layer    {}: {} -> {} {}\n{}", l == 0 ? "" : "\n", l, layer.inputs, layer.outputs,
                        Name(layer.activation), Explain(plan));
    if (kernel != nullptr) text += fmt::format("then     {}, {}\n", kernel->kernel, Name(kernel->chosen));
  }
  if (options.json) {
    PrintJson(Json{{"model", options.settings.what},
                   {"batch", options.settings.batch},
                   {"block", rows},
                   {"layers", std::move(layers)}});
  } else {
    Print(text + "\n" + TiersTable(*Find(listing, "gemm_" + type)));
  }
  return kOk;
}

// What can be named besides a file.
std::vector<std::string_view> Names(const Listing& listing) {
  std::vector<std::string_view> names;
  for (const KernelListing& kernel : listing.kernels) {
    std::string_view name = kernel.kernel;
    name.remove_suffix(4);  // "_f32"
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

bool NamesFile(const std::string& what) { return what.find_first_of("./") != std::string::npos; }

// "sigmoid_f64" is sigmoid of type f64.
Status SplitType(ExplainSettings& settings) {
  if (NamesFile(settings.what)) return {};
  for (const ElementType type : kElementTypes) {
    if (!settings.what.ends_with(fmt::format("_{}", Name(type)))) continue;
    if (settings.type_option->count() > 0 && settings.type != Name(type)) {
      return Invalid(fmt::format("--type: {} is of type {}, not {}", settings.what, Name(type), settings.type));
    }
    settings.what.resize(settings.what.size() - 4);
    settings.type = Name(type);
    break;
  }
  return {};
}

// Refuses options that mean nothing for what is to be explained. Of a name that is unknown they say nothing.
Status CheckOptions(const ExplainSettings& settings, const Listing& listing) {
  const bool is_gemm = settings.what == "gemm";
  const bool is_model = NamesFile(settings.what);
  const std::vector<std::string_view> names = Names(listing);
  if (!is_model && std::ranges::find(names, settings.what) == names.end()) return {};
  if (!is_gemm && !settings.shape.empty()) {
    return Invalid(fmt::format("'{}': only gemm takes a shape", settings.shape));
  }
  if (!is_model && settings.batch_option->count() > 0) {
    return Invalid(fmt::format("--batch: only for a model{}", is_gemm ? "; the rows of a product are its M" : ""));
  }
  if (is_model && settings.type_option->count() > 0) return Invalid("--type: not for a model, which has its own type");
  for (const CLI::Option* option : settings.gemm_options) {
    if (is_gemm || option->count() == 0) continue;
    return Invalid(fmt::format("{}: only for gemm{}", option->get_name(),
                               is_model ? "; a model's weights are packed, neither transposed nor scaled" : ""));
  }
  if (settings.alpha == 0) return Invalid("--alpha: with 0 there is no product to explain; give another factor");
  return {};
}

ExitCode Run(ExplainOptions options) {
  ExplainSettings& settings = options.settings;
  if (const Status split = SplitType(settings); !split.ok()) return Fail(split);
  if (!FindType(settings.type).has_value()) {
    std::vector<std::string_view> valid;
    for (const ElementType type : kElementTypes) valid.push_back(Name(type));
    return Fail(Invalid(UnknownName("--type", settings.type, valid)));
  }
  const Listing listing = ListKernels(options.isa.Request(), ThisCpu());
  if (const Status meant = CheckOptions(settings, listing); !meant.ok()) return Fail(meant);
  const Result<std::unique_ptr<Compute>> compute = Compute::Make(options.isa, options.threads);
  if (!compute.ok()) return Fail(compute.status());

  if (settings.what == "gemm") {
    if (settings.shape.empty()) return Fail(Invalid("gemm: which shape? Give MxNxK, such as 64x128x784"));
    return ExplainGemm(options, listing, **compute);
  }
  const KernelListing* kernel = Find(listing, fmt::format("{}_{}", settings.what, settings.type));
  if (kernel != nullptr) return ExplainFunction(options, *kernel);
  if (!NamesFile(settings.what)) {
    const std::vector<std::string_view> names = Names(listing);
    if (std::ranges::find(names, settings.what) != names.end()) {
      return Fail(Invalid(
          fmt::format("there is no {} of type {}; of integers there is gemm alone", settings.what, settings.type)));
    }
    return Fail(Invalid(UnknownName("kernel (a file has a . or / in its name)", settings.what, names)));
  }
  const Result<AnyModel> model = LoadAnyModel(settings.what);
  if (!model.ok()) return Fail(model.status());
  return std::visit([&](const auto& typed) { return ExplainModel(options, listing, **compute, typed); }, *model);
}

}  // namespace

Command AddExplain(CLI::App& program) {
  CLI::App* command = program.add_subcommand("explain", "Show how something would be computed here, and why");
  SetExample(*command,
             "lanewise explain gemm 64x128x784 --packed\n"
             "  lanewise explain gemm 784x128x64 --transpose-a\n"
             "  lanewise explain clothes.safetensors --batch 32");
  const auto options = std::make_shared<ExplainOptions>(*command);
  return {command, [options] { return Run(*options); }};
}

}  // namespace lanewise::cli
