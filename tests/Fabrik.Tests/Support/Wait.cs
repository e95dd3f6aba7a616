namespace Fabrik.Tests.Support;

/// <summary>Waits for something outside to become true; the time-out only ends a test that has failed.</summary>
public static class Wait
{
    public static async Task<T> ForAsync<T>(string what, Func<Task<T?>> look, TimeSpan? timeout = null)
        where T : class
    {
        var cancel = TestContext.Current.CancellationToken;
        var (clock, limit) = (TimeProvider.System, timeout ?? TimeSpan.FromSeconds(60));
        var start = clock.GetTimestamp();
        while (true)
        {
            if (await look() is { } found) return found;
            Assert.True(clock.GetElapsedTime(start) < limit, $"waited {limit} for {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), clock, cancel);
        }
    }

    public static Task UntilAsync(string what, Func<Task<bool>> look, TimeSpan? timeout = null) =>
        ForAsync<object>(what, async () => await look() ? what : null, timeout);
}
