using Fabrik.Runs;

namespace Fabrik.Api.Runs;

/// <summary>A page of runs.</summary>
/// <param name="Items">At most as many as asked for. Fewer, even none, do not mean that there are no more.</param>
/// <param name="Next">Value for the parameter cursor that gives the next page; absent at the end.</param>
public sealed record RunList(IReadOnlyList<Run> Items, string? Next);
