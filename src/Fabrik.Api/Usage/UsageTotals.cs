using Fabrik.Gateway;

namespace Fabrik.Api.Usage;

/// <summary>What became of a batch.</summary>
/// <param name="Inserted">New, and counted from now on.</param>
/// <param name="Known">Delivered before, or twice in the batch.</param>
public sealed record UsageReceipt(int Inserted, int Known);

/// <summary>An event that is wrong.</summary>
/// <param name="Index">Its place in the array, from 0.</param>
/// <param name="Reason">Which field and why; left out after the first hundred of a batch.</param>
public sealed record RefusedEvent(int Index, string? Reason);

/// <summary>Calls of models, added up.</summary>
/// <param name="GroupBy">By what.</param>
/// <param name="Since">Attempts from this time on.</param>
/// <param name="Until">And before this.</param>
/// <param name="Items">The dearest groups first; days the youngest first.</param>
/// <param name="Total">Of all groups, those too that are not shown.</param>
/// <param name="More">Whether there are more groups.</param>
public sealed record UsageTotals(string GroupBy, DateTimeOffset Since, DateTimeOffset Until, IReadOnlyList<CallTotal> Items, CallTotal Total, bool More);
