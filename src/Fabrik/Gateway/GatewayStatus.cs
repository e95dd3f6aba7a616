namespace Fabrik.Gateway;

/// <summary>What one gateway says of itself: names and states, as its metrics do; no key, nothing of what was asked, no amount of anybody's money.</summary>
/// <param name="Replica">Its name; each gateway has its own.</param>
/// <param name="Draining">It takes no new connections, as it is about to end.</param>
/// <param name="PriceVersion">Of the price book in use.</param>
/// <param name="Budgets">Each with the subject that has used most of it; empty where there are none or they are not known.</param>
/// <param name="BudgetsKnown">Whether the API has told which budgets there are.</param>
public sealed record GatewayStatus(
    string Replica, string Version, DateTimeOffset Now, DateTimeOffset StartedAt, bool Draining, string PriceVersion,
    IReadOnlyList<ProviderStatus> Providers, SpoolStatus Spool, bool BudgetsKnown, IReadOnlyList<BudgetStatus> Budgets, RunEndsStatus RunEnds)
{
    /// <summary>Models that the configuration names, each by its whole name, and that the price book in use does not know. Null: an older gateway, which does not tell.</summary>
    public IReadOnlyList<string>? Unpriced { get; init; }
}

/// <param name="Models">Those it serves; none: all.</param>
/// <param name="Projects">Those it is for; none: all.</param>
/// <param name="Bench">Why it is set aside; null where it is not.</param>
public sealed record ProviderStatus(string Name, WireFormat Format, string Host, IReadOnlyList<string> Models, IReadOnlyList<string> Projects, BenchStatus? Bench, IReadOnlyList<KeyStatus> Keys);

/// <param name="Missing">Its file cannot be read, or holds no key.</param>
/// <param name="Models">Models for which it alone is set aside.</param>
public sealed record KeyStatus(string Name, double Weight, bool Missing, BenchStatus? Bench, IReadOnlyList<ModelBenchStatus> Models);

/// <param name="Why">One word, as in the ledger.</param>
public sealed record BenchStatus(DateTimeOffset Until, string Why);

public sealed record ModelBenchStatus(string Model, DateTimeOffset Until, string Why);

/// <summary>What the API has not taken in yet.</summary>
/// <param name="Bytes">In all files, those too that are sent while others of the same file are not.</param>
/// <param name="Oldest">When the oldest settled attempt began that is not sent; null where all is.</param>
/// <param name="Failing">Why the API does not take it; null where it does.</param>
public sealed record SpoolStatus(int Files, long Bytes, DateTimeOffset? Oldest, string? Failing);

/// <param name="Used">Part of it, 0 to 1.</param>
public sealed record BudgetStatus(string Name, bool Hard, double Used);

/// <param name="Held">Runs whose tokens are refused as they have ended.</param>
/// <param name="ToldAt">When the API answered last; null where it never has.</param>
public sealed record RunEndsStatus(int Held, DateTimeOffset? ToldAt);
