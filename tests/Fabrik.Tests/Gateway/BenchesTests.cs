using Fabrik.Gateway.Failover;

namespace Fabrik.Tests.Gateway;

public sealed class BenchesTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
    private static readonly Target One = new("one", "key", 1);
    private readonly Benches benches = new();

    [Fact]
    public void A_provider_whose_streams_begin_and_never_end_well_is_set_aside_after_three()
    {
        for (var call = 0; call < 3; call++)
        {
            benches.Until(One, "m", Start).ShouldBeNull();
            benches.Began(One, "m");
            benches.Failed(One, "m", ProviderFault.Timeout, Start);
        }

        benches.Until(One, "m", Start).ShouldBe(Start.AddSeconds(2));
    }

    [Fact]
    public void One_that_begins_again_is_open_to_all_and_one_more_failure_sets_it_aside_for_longer()
    {
        for (var call = 0; call < 3; call++) benches.Failed(One, "m", ProviderFault.Broken, Start);
        var later = Start.AddSeconds(3);
        benches.Choose([One], [], "m", later, 0).ShouldBe(One);
        benches.Choose([One], [], "m", later, 0).ShouldBeNull("while one tries it, the others wait");
        benches.Began(One, "m");
        benches.Choose([One], [], "m", later, 0).ShouldBe(One);
        benches.Failed(One, "m", ProviderFault.Broken, later);
        benches.Until(One, "m", later).ShouldBe(later.AddSeconds(4));
        benches.Succeeded(One, "m");
        benches.Failed(One, "m", ProviderFault.Broken, later);
        benches.Until(One, "m", later).ShouldBeNull("it has ended well since");
    }

    [Fact]
    public void What_is_over_for_long_is_forgotten_so_that_names_that_callers_make_up_are_not_kept()
    {
        for (var number = 0; number < 1_000; number++) benches.Failed(One, $"model-{number}", new ProviderFault(FaultScope.KeyAndModel, "permission_denied", TimeSpan.FromMinutes(1)), Start.AddMinutes(number));
        benches.Kept.ShouldBeLessThan(20);
    }
}
