using Dapper;

namespace Fabrik.Storage;

/// <summary>One condition of a query.</summary>
/// <param name="Condition">In terms of the table runs.</param>
/// <param name="Source">Where the runs that meet it are found.</param>
internal sealed record RunFilter(string Condition, RunSource Source, Action<DynamicParameters> Bind)
{
    /// <summary>Those that usually leave the fewest come first: a walk follows the first one that it can.</summary>
    public static List<RunFilter> Of(RunQuery query)
    {
        var filters = new List<RunFilter>();
        if (query.Change is { } change)
        {
            filters.Add(new RunFilter(
                "EXISTS (SELECT 1 FROM run_experiments AS member WHERE member.run = runs.seq AND member.change_name = @change AND member.role <> 'withdrawn')",
                RunSource.OfChange(query.Sort),
                parameters => parameters.Add("change", change)));
        }

        Equal("project", query.Project);
        Equal("namespace", query.Namespace);
        Equal("arm", query.Arm is { } arm ? WireNames.Of(arm) : null);
        Equal("spec_type", query.SpecType);
        Equal("outcome", query.Outcome is { } outcome ? WireNames.Of(outcome) : null);
        if (query.NamePrefix is { Length: > 0 } prefix)
        {
            // The first text that is greater than every one with this prefix. The names in between are many orders one after the other.
            var end = prefix[..^1] + (char)(prefix[^1] + 1);
            const string condition = "runs.name >= @prefix AND runs.name < @prefix_end";
            filters.Add(new RunFilter(condition, RunSource.Of("runs_of_name", condition, query.Sort) with { InOrder = false }, parameters =>
            {
                parameters.Add("prefix", prefix);
                parameters.Add("prefix_end", end);
            }));
        }

        if (query.Since is not null || query.Until is not null)
        {
            const string condition = "runs.created_at >= @since AND runs.created_at < @until";
            filters.Add(new RunFilter(condition, RunSource.Of("runs_by_created", condition, query.Sort), parameters =>
            {
                parameters.Add("since", query.Since?.ToUnixTimeMilliseconds() ?? 0);
                parameters.Add("until", query.Until?.ToUnixTimeMilliseconds() ?? long.MaxValue);
            }));
        }

        return filters;

        void Equal(string column, string? value)
        {
            if (value is null) return;
            var condition = $"runs.{column} = @{column}";
            filters.Add(new RunFilter(condition, RunSource.Of($"runs_of_{column}", condition, query.Sort), parameters => parameters.Add(column, value)));
        }
    }

    /// <summary>A range of creation times narrows the walk itself where that is the order.</summary>
    public static string Range(RunQuery query, RunSource source) =>
        query is { Sort: RunSort.Created } and not { Since: null, Until: null } ? $" AND {source.Value} >= @since AND {source.Value} < @until" : "";
}
