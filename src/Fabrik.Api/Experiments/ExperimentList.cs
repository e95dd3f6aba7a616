using Fabrik.Reports;

namespace Fabrik.Api.Experiments;

/// <summary>A page of experiments, by the names of their changes.</summary>
/// <param name="Items">Without their evidence over time.</param>
/// <param name="Next">Value for the parameter cursor that gives the next page; absent at the end.</param>
public sealed record ExperimentList(IReadOnlyList<ExperimentReport> Items, string? Next);
