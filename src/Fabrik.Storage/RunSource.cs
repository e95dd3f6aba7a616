namespace Fabrik.Storage;

/// <summary>An index along which runs are found.</summary>
/// <param name="Index">What to read FROM.</param>
/// <param name="Where">Which of its entries.</param>
/// <param name="Value">Column that is sorted by; where the source is in the order asked for, entries of one value come by <paramref name="Seq"/>.</param>
/// <param name="InOrder">Whether it is in the order asked for.</param>
/// <param name="Join">Brings in the runs where the index is not one of theirs.</param>
internal sealed record RunSource(string Index, string Where, string Value, string Seq, bool InOrder, string Join = "")
{
    /// <summary>True where a filter that is not the source's own needs a look at the row itself.</summary>
    public bool ReadsRows => Join.Length > 0;

    /// <summary>All runs in an order.</summary>
    public static RunSource Order(RunSort sort) => new($"runs INDEXED BY runs_by_{Word(sort)}", "1 = 1", $"runs.{Column(sort)}", "runs.seq", InOrder: true);

    /// <summary>Runs that meet a condition on one column; in themselves they are in the order of creation.</summary>
    public static RunSource Of(string index, string condition, RunSort sort) => new($"runs INDEXED BY {index}", condition, "runs.created_at", "runs.seq", sort == RunSort.Created);

    /// <summary>Runs that count for @change, in any order.</summary>
    public static RunSource OfChange(RunSort sort) => new(
        $"run_experiments AS member INDEXED BY members_by_{Word(sort)}",
        "member.change_name = @change AND member.role <> 'withdrawn'",
        $"member.{Column(sort)}",
        "member.run",
        InOrder: true,
        " CROSS JOIN runs ON runs.seq = member.run");

    public static string Column(RunSort sort) => sort switch { RunSort.Created => "created_at", RunSort.Finished => "finished_at", _ => "duration_ms" };

    private static string Word(RunSort sort) => sort switch { RunSort.Created => "created", RunSort.Finished => "finished", _ => "duration" };
}
