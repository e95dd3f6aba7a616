using Fabrik.Gateway;

namespace Fabrik.Storage;

/// <summary>Which attempts are added up, and by what. Every filter is optional; all that are given must hold.</summary>
public sealed record CallQuery
{
    public const int DefaultLimit = 100;
    public const int MaximumLimit = 1000;

    /// <summary>Attempted at this time or later.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Attempted before this time.</summary>
    public DateTimeOffset? Until { get; init; }
    public string? Project { get; init; }
    public string? Namespace { get; init; }
    public string? Arm { get; init; }
    public string? Change { get; init; }

    /// <summary>Id of a virtual key.</summary>
    public string? Key { get; init; }

    /// <summary>As it was asked of the provider.</summary>
    public string? Model { get; init; }
    public CallGrouping By { get; init; } = CallGrouping.Project;

    /// <summary>Groups: 1 to <see cref="MaximumLimit"/>.</summary>
    public int Limit { get; init; } = DefaultLimit;
}

/// <summary>What calls are added up by; a day is one of UTC.</summary>
public enum CallGrouping
{
    Run,
    Project,
    Model,
    Arm,
    Key,
    Day,
}

/// <param name="Items">The dearest groups first; days the youngest first.</param>
/// <param name="Total">Of all that the filters let through, those groups too that are beyond the limit.</param>
/// <param name="More">Whether there are more groups.</param>
public sealed record CallTotals(IReadOnlyList<CallTotal> Items, CallTotal Total, bool More);
