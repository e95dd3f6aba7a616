namespace Fabrik.Analysis;

/// <summary>A run of a change of model that has ended, until what it called is added up.</summary>
/// <param name="Created">Milliseconds since 1970, UTC; <paramref name="Finished"/> likewise.</param>
/// <param name="RunId">As the ledger of calls knows it.</param>
public sealed record UnpaidRun(long Created, long Seq, string RunId, bool IsTreated, bool Succeeded, long Finished)
{
    /// <summary>From the end of a run until its calls are read. The gateway delivers each within seconds, unless the API is away.</summary>
    public static readonly TimeSpan Wait = TimeSpan.FromMinutes(10);
}
