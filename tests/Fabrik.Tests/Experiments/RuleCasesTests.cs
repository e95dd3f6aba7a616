using Fabrik.Experiments;

namespace Fabrik.Tests.Experiments;

public class RuleCasesTests
{
    public static TheoryData<string> Changes => [.. Case.Read(Case.Changes).Select(one => one.Name)];

    public static TheoryData<string> Policies => [.. Case.Read(Case.Policies).Select(one => one.Name)];

    [Theory, MemberData(nameof(Changes))]
    public void A_change_is_judged_as_the_table_says(string name)
    {
        var one = Case.Named(Case.Changes, name);
        Judge(one, ChangeRules.Validate(one.OldElement, one.NewElement));
    }

    [Theory, MemberData(nameof(Policies))]
    public void A_policy_is_judged_as_the_table_says(string name)
    {
        var one = Case.Named(Case.Policies, name);
        Judge(one, PolicyRules.Validate(one.OldElement, one.NewElement));
    }

    [Fact]
    public void Names_of_cases_are_unique()
    {
        foreach (var file in new[] { Case.Changes, Case.Policies }) Case.Read(file).Select(one => one.Name).ShouldBeUnique();
    }

    private static void Judge(Case one, IReadOnlyList<Problem> problems)
    {
        if (one.Refused is null) problems.ShouldBeEmpty();
        else problems.Select(problem => problem.Field).ShouldContain(one.Refused, string.Join("; ", problems));
    }
}
