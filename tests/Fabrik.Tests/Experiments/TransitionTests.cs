using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;

namespace Fabrik.Tests.Experiments;

public class TransitionTests
{
    public static TheoryData<Phase, Phase> Steps
    {
        get
        {
            var steps = new TheoryData<Phase, Phase>();
            foreach (var from in Enum.GetValues<Phase>())
            {
                foreach (var to in Enum.GetValues<Phase>()) steps.Add(from, to);
            }

            return steps;
        }
    }

    [Theory, MemberData(nameof(Steps))]
    public void Only_steps_of_the_table_are_taken(Phase from, Phase to)
    {
        var problems = ChangeRules.Validate(JsonSerializer.SerializeToElement(Change(from)), JsonSerializer.SerializeToElement(Change(to)));
        if (from == to || Transitions.From(from).Contains(to)) problems.ShouldBeEmpty();
        else problems.ShouldHaveSingleItem().Field.ShouldBe("status.phase");
    }

    [Fact]
    public void A_rejected_change_stays_rejected_and_a_rolled_back_one_begins_anew()
    {
        Transitions.From(Phase.Rejected).ShouldBeEmpty();
        Transitions.From(Phase.RolledBack).ShouldBe([Phase.Proposed]);
        Transitions.From(Phase.Applied).ShouldBe([Phase.RolledBack]);
    }

    /// <summary>Phases to pass through, from proposed, to come to one; without proposed itself.</summary>
    internal static IReadOnlyList<Phase> WayTo(Phase phase)
    {
        var ways = new Dictionary<Phase, Phase[]> { [Phase.Proposed] = [] };
        var next = new Queue<Phase>([Phase.Proposed]);
        while (!ways.ContainsKey(phase))
        {
            var at = next.Dequeue();
            foreach (var to in Transitions.From(at).Where(to => ways.TryAdd(to, [.. ways[at], to]))) next.Enqueue(to);
        }

        return ways[phase];
    }

    internal static string Wire(Phase phase) => JsonSerializer.SerializeToElement(phase).GetString()!;

    internal static JsonObject Change(Phase phase) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = "change" },
        ["spec"] = new JsonObject { ["type"] = "resource", ["change"] = new JsonObject { ["memoryLimit"] = "4Gi" } },
        ["status"] = new JsonObject { ["phase"] = Wire(phase) },
    };
}
