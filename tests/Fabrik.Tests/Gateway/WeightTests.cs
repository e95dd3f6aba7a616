using Fabrik.Gateway.Failover;

namespace Fabrik.Tests.Gateway;

public class WeightTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private static readonly Target[] Pool = [new("a", "1", 3), new("a", "2", 1), new("b", "1", 4)];

    [Fact]
    public void Calls_are_shared_out_by_weight_and_what_is_set_aside_is_shared_by_the_others()
    {
        var benches = new Benches();
        Share(benches, []).ShouldBe([3, 1, 4]);
        benches.Failed(Pool[2], "m", new ProviderFault(FaultScope.Key, "invalid_key", TimeSpan.FromHours(1)), Now);
        Share(benches, []).ShouldBe([6, 2, 0]);
        Share(benches, [Pool[0]]).ShouldBe([0, 8, 0]);
        benches.Choose(Pool, [Pool[0], Pool[1]], "m", Now, 0.5).ShouldBeNull();
    }

    /// <summary>Of eight draws, evenly over all there are.</summary>
    private static int[] Share(Benches benches, Target[] tried)
    {
        var chosen = Enumerable.Range(0, 8).Select(draw => benches.Choose(Pool, tried, "m", Now, (draw + 0.5) / 8)).ToList();
        return [.. Pool.Select(target => chosen.Count(one => ReferenceEquals(one, target)))];
    }
}
