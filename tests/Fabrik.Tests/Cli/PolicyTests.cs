using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Commands;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli;

public sealed class PolicyTests(ClusterOfObjects cluster) : IClassFixture<ClusterOfObjects>
{
    [Fact]
    public async Task Checklist_46_and_66_pause_creates_the_policy_where_there_is_none_and_resume_leaves_no_reason()
    {
        await foreach (var old in cluster.Client.ListAsync(Kinds.OptimizerPolicy, null, TestContext.Current.CancellationToken))
            await cluster.Client.DeleteAsync(Kinds.OptimizerPolicy, null, old.Name, TestContext.Current.CancellationToken);

        var paused = await cluster.FabrikAsync("optimizer", "pause", "--reason", "Investigating issue");

        paused.Code.ShouldBe(0, paused.Error);
        (await SpecAsync()).ShouldSatisfyAllConditions(spec => spec.Paused.ShouldBeTrue(), spec => spec.PauseReason.ShouldBe("Investigating issue"));
        (await cluster.FabrikAsync("optimizer", "resume")).Code.ShouldBe(0);
        (await SpecAsync()).ShouldSatisfyAllConditions(spec => spec.Paused.ShouldBeFalse(), spec => spec.PauseReason.ShouldBeNull());
    }

    [Theory]
    [InlineData("max_experiments", "2", "experiments.maxConcurrent")]
    [InlineData("auto_apply_risk", "medium", "autoApplyRisk")]
    [InlineData("business_hours_only", "false", "businessHours.only")]
    [InlineData("business-hours-time-zone", "Europe/Berlin", "businessHours.timeZone")]
    [InlineData("spec.experiments.maxShare", "0.15", "experiments.maxShare")]
    [InlineData("protected_environments", "prod,staging", "protectedEnvironments")]
    [InlineData("budgets", """[{"name":"team","limit":"150.00","currency":"EUR"}]""", "budgets")]
    public async Task Checklist_66_a_setting_is_set_read_back_and_put_back(string key, string value, string path)
    {
        var set = await cluster.FabrikAsync("optimizer", "config", "set", key, value);
        set.Code.ShouldBe(0, set.Error);
        At(await PolicyAsync(), path).ValueKind.ShouldNotBe(JsonValueKind.Null);
        var got = await cluster.FabrikAsync("optimizer", "config", "get", key);
        if (key != "budgets") got.Out.TrimEnd().ShouldBe(value);
        else got.Out.ShouldContain("150.00");

        (await cluster.FabrikAsync("optimizer", "config", "unset", key)).Code.ShouldBe(0);

        (await cluster.FabrikAsync("optimizer", "config", "get", key)).Out.TrimEnd().ShouldNotBe(value);
    }

    [Theory]
    [InlineData("max_experiments", "5", "at most 3 experiments")]
    [InlineData("max_experiments", "many", "a whole number")]
    [InlineData("initial_share", "0.5", "at most 0.19")]
    [InlineData("auto_apply_risk", "huge", "low, medium, high")]
    [InlineData("business_hours_from", "18:00", "begin before they end")]
    [InlineData("budgets", "[{}]", "budgets[0].name")]
    [InlineData("budgets", "{", "JSON")]
    public async Task What_the_rules_forbid_is_told_and_not_sent(string key, string value, string expected)
    {
        var before = await cluster.FabrikAsync("optimizer", "config", "get", key);

        var run = await cluster.FabrikAsync("optimizer", "config", "set", key, value);

        run.Code.ShouldBe(2);
        run.Error.ShouldContain("FAB-1022");
        run.Error.ShouldContain(expected);
        (await cluster.FabrikAsync("optimizer", "config", "get", key)).Out.ShouldBe(before.Out);
    }

    [Fact]
    public async Task An_unknown_setting_lists_the_known_ones()
    {
        var run = await cluster.FabrikAsync("optimizer", "config", "set", "max_experiment", "2");

        run.Code.ShouldBe(2);
        run.Error.ShouldContain("FAB-1023");
        run.Error.ShouldContain("max_experiments");
    }

    [Fact]
    public void Every_field_of_the_policy_has_a_key_of_its_own()
    {
        using var whole = JsonDocument.Parse(JsonSerializer.Serialize(new OptimizerPolicy
        {
            Metadata = new ChangeMetadata { Name = "default" },
            Spec = new PolicySpec { PauseReason = "x" },
        }, ObjectJson.Default.OptimizerPolicy));

        var fields = Leaves(whole.RootElement.GetProperty("spec"), "").ToArray();

        foreach (var field in fields) PolicyKey.All.ShouldContain(key => string.Join('.', key.Path) == field, field);
        PolicyKey.All.Select(key => key.Key).ShouldBeUnique();
        PolicyKey.All.ShouldAllBe(key => key.Description.Length > 0);
    }

    [Fact]
    public async Task All_settings_are_listed_with_value_and_meaning_also_as_json()
    {
        var table = await cluster.FabrikAsync("optimizer", "config", "get");
        table.Out.ShouldContain("max_experiments");
        table.Out.ShouldContain("Experiments at the same time");
        var json = JsonDocument.Parse((await cluster.FabrikAsync("optimizer", "config", "get", "-o", "json")).Out).RootElement;
        json.GetProperty("items").GetArrayLength().ShouldBe(PolicyKey.All.Count);
    }

    private static IEnumerable<string> Leaves(JsonElement json, string path) => json.ValueKind == JsonValueKind.Object
        ? json.EnumerateObject().SelectMany(one => Leaves(one.Value, path.Length == 0 ? one.Name : $"{path}.{one.Name}"))
        : [path];

    private async Task<PolicySpec> SpecAsync() => ObjectJson.Policy(await PolicyAsync()).Spec;

    private async Task<JsonElement> PolicyAsync() => (await cluster.Client.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, TestContext.Current.CancellationToken)).Json;

    private static JsonElement At(JsonElement policy, string path)
    {
        var at = policy.GetProperty("spec");
        foreach (var name in path.Split('.')) at = at.GetProperty(name);
        return at;
    }
}
