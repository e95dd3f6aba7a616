namespace Fabrik.Kubernetes.Http;

/// <summary>Waits double with each failure in a row, up to a bound, half of it random so that many clients do not come back at once.</summary>
internal sealed class Backoff(TimeSpan first, TimeSpan longest)
{
    private int failures;

    public TimeSpan Next()
    {
        var full = Math.Min(longest.TotalSeconds, first.TotalSeconds * Math.Pow(2, Math.Min(failures, 30)));
        failures++;
        return Jitter(TimeSpan.FromSeconds(full));
    }

    public void Reset() => failures = 0;

    /// <summary>Between half of it and all of it.</summary>
    public static TimeSpan Jitter(TimeSpan full)
    {
#pragma warning disable CA5394 // spreads load, hides nothing
        return full * (0.5 + Random.Shared.NextDouble() / 2);
#pragma warning restore CA5394
    }
}
