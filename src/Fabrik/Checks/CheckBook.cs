namespace Fabrik.Checks;

/// <summary>The results so far, and the rule by which checks stand on one another.</summary>
public sealed class CheckBook(CheckPhase phase)
{
    private readonly List<CheckResult> results = [];

    public CheckPhase Phase => phase;

    public IReadOnlyList<CheckResult> Results => results;

    public int Count(CheckStatus status) => results.Count(result => result.Status == status);

    /// <summary>Whether any check of the category would be judged: if not, its facts need not be gathered.</summary>
    public bool Wants<TFacts>(Category<TFacts> category) => Here(category).Any(check => Blocked(category, check) is null);

    /// <summary>Of facts that were gathered just now; <paramref name="facts"/> is null where <see cref="Wants"/> is false.</summary>
    public IReadOnlyList<CheckResult> Judge<TFacts>(Category<TFacts> category, TFacts? facts) where TFacts : class
    {
        var begun = results.Count;
        foreach (var check in Here(category))
        {
            var finding = Blocked(category, check) is { } why ? Finding.Skipped(why) : check.Judge(facts!);
            results.Add(new CheckResult(check.Id, category.Name, check.Title, finding.Status, finding.Detail, finding.Next));
        }

        return results[begun..];
    }

    /// <summary>Takes a category's results back, to judge it again.</summary>
    public void Forget(string category) => results.RemoveAll(result => result.Category == category);

    private IEnumerable<Check<TFacts>> Here<TFacts>(Category<TFacts> category) => category.Checks.Where(check => (check.Phase & category.Phase & phase) != 0);

    /// <summary>Why the check cannot be judged; null where it can. What is not among the results belongs to another phase and holds nobody up.</summary>
    private string? Blocked<TFacts>(Category<TFacts> category, Check<TFacts> check)
    {
        foreach (var id in category.Needs.Concat(check.Needs))
            if (results.Find(result => result.Id == id) is { Status: not (CheckStatus.Passed or CheckStatus.Warning) } needed)
                return $"{id} ({needed.Title}) {Word(needed.Status)}";
        return null;
    }

    private static string Word(CheckStatus status) => status switch
    {
        CheckStatus.Failed => "failed",
        CheckStatus.Skipped => "was skipped",
        _ => "is unproven",
    };
}
