namespace Fabrik.Checks;

/// <summary>Names in a sentence.</summary>
public static class Naming
{
    /// <summary>At most <paramref name="most"/> names, and how many more there are.</summary>
    public static string Few(this IEnumerable<string> names, int most = 5)
    {
        var all = names.ToList();
        return all.Count <= most ? string.Join(", ", all) : $"{string.Join(", ", all.Take(most))} and {all.Count - most} more";
    }
}
