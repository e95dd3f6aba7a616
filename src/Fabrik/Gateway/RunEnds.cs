namespace Fabrik.Gateway;

/// <summary>That a run has ended, or that it lives after all.</summary>
/// <param name="Ended">False where it was taken for ended and turned up again.</param>
/// <param name="ExpiresAt">UTC; from then on its token has expired anyway.</param>
public sealed record RunEnd(string RunId, bool Ended, DateTimeOffset ExpiresAt);

/// <summary>What became known since a cursor, the oldest first.</summary>
/// <param name="Cursor">Where to go on. It means something to the API alone.</param>
/// <param name="More">Whether there is more already.</param>
public sealed record RunEnds(IReadOnlyList<RunEnd> Ends, string? Cursor, bool More)
{
    /// <summary>Beyond the token's own life: the clocks of webhook and API server may differ.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromDays(1);

    /// <summary>When nobody needs to know any more that a run has ended.</summary>
    /// <param name="createdAt">Of its Job: its token was made at the same time.</param>
    public static DateTimeOffset ExpiryOf(DateTimeOffset createdAt) => createdAt + RunToken.Lifetime + Slack;
}
