namespace Fabrik.Certificates;

/// <summary>How long certificates live, and how long a new state must have stood before anything relies on it.</summary>
public sealed record CertificateTimes
{
    public static readonly CertificateTimes Default = new();

    public TimeSpan AuthorityLife { get; init; } = TimeSpan.FromDays(3653);

    public TimeSpan LeafLife { get; init; } = TimeSpan.FromDays(90);

    /// <summary>From a caBundle being written until every API server has it, and mounted ConfigMaps have come to their Pods: up to two minutes.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>From the last leaf of the old authority being replaced until that authority is trusted no more; longer than any replica serves what it had.</summary>
    public TimeSpan KeepOld { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Between two looks while nothing is due.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Certificates begin a little before now: clocks differ.</summary>
    internal static TimeSpan Before(TimeSpan life) => life / 20 < TimeSpan.FromHours(1) ? life / 20 : TimeSpan.FromHours(1);
}
