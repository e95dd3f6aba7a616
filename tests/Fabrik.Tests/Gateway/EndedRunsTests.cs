using Fabrik.Gateway;

namespace Fabrik.Tests.Gateway;

public class EndedRunsTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Only_what_was_told_to_have_ended_is_held_and_only_as_long_as_a_token_could_be_valid()
    {
        var ended = new EndedRuns();
        ended.Take([End("a", 30), End("b", 1), End("old", -1)], Now).ShouldBe(0);
        (ended.Has("a"), ended.Has("b"), ended.Has("old"), ended.Has("c"), ended.Has("")).ShouldBe((true, true, false, false, false));
        ended.Forget(Now.AddDays(2));
        (ended.Has("a"), ended.Has("b"), ended.Count).ShouldBe((true, false, 1));
        ended.Take([End("a", 30) with { Ended = false }], Now);
        (ended.Has("a"), ended.Count).ShouldBe((false, 0));
    }

    [Fact]
    public void When_full_those_go_that_expire_first_and_how_many_is_said()
    {
        var ended = new EndedRuns(capacity: 100);
        ended.Take([.. Enumerable.Range(0, 100).Select(number => End($"{number}", 1 + number))], Now).ShouldBe(0);
        ended.Take([End("more", 200)], Now).ShouldBe(11);
        ended.Count.ShouldBe(90);
        (ended.Has("0"), ended.Has("10"), ended.Has("11"), ended.Has("more")).ShouldBe((false, false, true, true));
    }

    private static RunEnd End(string run, double days) => new(run, true, Now.AddDays(days));
}
