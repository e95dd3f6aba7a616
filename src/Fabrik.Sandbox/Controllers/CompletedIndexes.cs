using System.Globalization;
using System.Text;

namespace Fabrik.Sandbox.Controllers;

/// <summary>The short form in a Job's status: 0-2,5.</summary>
internal static class CompletedIndexes
{
    public static IEnumerable<int> Parse(string? text)
    {
        foreach (var part in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var ends = part.Split('-');
            if (!int.TryParse(ends[0], CultureInfo.InvariantCulture, out var first) || !int.TryParse(ends[^1], CultureInfo.InvariantCulture, out var last)) continue;
            for (var index = first; index <= last; index++) yield return index;
        }
    }

    public static string Format(IEnumerable<int> ascending)
    {
        var text = new StringBuilder();
        int? first = null, last = null;
        foreach (var index in ascending)
        {
            if (last is { } before && index == before + 1)
            {
                last = index;
                continue;
            }

            Close();
            first = last = index;
        }

        Close();
        return text.ToString();

        void Close()
        {
            if (first is null) return;
            if (text.Length > 0) text.Append(',');
            text.Append(first);
            if (last > first) text.Append('-').Append(last);
        }
    }
}
