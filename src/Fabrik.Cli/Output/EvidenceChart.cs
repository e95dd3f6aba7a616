using System.Globalization;
using Fabrik.Reports;

namespace Fabrik.Cli.Output;

/// <summary>E-values over runs on a logarithmic scale, with the line they have to reach: pure text of a given size.</summary>
public static class EvidenceChart
{
    private const int LabelWidth = 7;
    private const double Lowest = 0.01;

    /// <summary>Win, not worse, harm; where several meet in a cell: *.</summary>
    private static readonly char[] Marks = ['W', 'N', 'H'];

    /// <param name="width">Columns for everything; at least 40 are taken.</param>
    /// <param name="height">Rows of the plot alone, at least 6.</param>
    /// <param name="lines">Whether box-drawing characters may be used.</param>
    /// <param name="colour">Given a mark, its colours.</param>
    public static IReadOnlyList<string> Draw(IReadOnlyList<EvidencePoint> points, double threshold, int width, int height, bool lines, Func<char, string>? colour = null)
    {
        height = Math.Max(6, height);
        var columns = Math.Max(40, width) - LabelWidth - 2;
        var top = Math.Log10(Math.Max(threshold * 2, points.Select(Largest).DefaultIfEmpty(1).Max()));
        var bottom = Math.Log10(Lowest);
        var cells = new char[height, columns];
        for (var row = 0; row < height; row++)
            for (var column = 0; column < columns; column++) cells[row, column] = ' ';
        int Row(double value) => (int)Math.Round((top - Math.Log10(Math.Clamp(double.IsNaN(value) ? 1 : value, Lowest, Math.Pow(10, top)))) / (top - bottom) * (height - 1));

        var limit = Row(threshold);
        for (var column = 0; column < columns; column++) cells[limit, column] = lines ? '─' : '-';
        var last = points.Count > 0 ? Math.Max(1, points[^1].Runs) : 1;
        for (var column = 0; column < columns && points.Count > 0; column++)
        {
            // The state after as many runs as this column stands for: a step function, as nothing is known between two looks.
            var runs = (int)Math.Round((column + 1.0) / columns * last);
            if (At(points, runs) is not { } point) continue;
            double[] values = [point.Win, point.NonInferior, point.Harm];
            for (var series = 0; series < values.Length; series++)
            {
                ref var cell = ref cells[Row(values[series]), column];
                cell = Marks.Contains(cell) || cell == '*' ? '*' : Marks[series];
            }
        }

        var labels = new Dictionary<int, string>();
        for (var power = (int)Math.Ceiling(bottom); power <= top; power++) labels[Row(Math.Pow(10, power))] = Math.Pow(10, power).ToString("0.####", CultureInfo.InvariantCulture);
        labels[limit] = threshold.ToString("0.##", CultureInfo.InvariantCulture);
        var text = new List<string>();
        for (var row = 0; row < height; row++)
        {
            var plot = string.Concat(Enumerable.Range(0, columns).Select(column => colour is null ? cells[row, column].ToString() : colour(cells[row, column])));
            var label = labels.GetValueOrDefault(row, "");
            text.Add($"{(label.Length > LabelWidth ? "" : label).PadLeft(LabelWidth)} {(lines ? '│' : '|')}{(colour is null ? plot.TrimEnd() : plot)}");
        }

        text.Add($"{new string(' ', LabelWidth)} {(lines ? '└' : '+')}{new string(lines ? '─' : '-', columns)}");
        var end = $"{last} runs";
        text.Add($"{new string(' ', LabelWidth + 2)}0{end.PadLeft(columns - 1)}");
        return text;
    }

    private static double Largest(EvidencePoint point) => new[] { point.Win, point.NonInferior, point.Harm }.Where(double.IsFinite).DefaultIfEmpty(1).Max();

    private static EvidencePoint? At(IReadOnlyList<EvidencePoint> points, int runs)
    {
        EvidencePoint? found = null;
        foreach (var point in points)
        {
            if (point.Runs > runs) break;
            found = point;
        }

        return found;
    }
}
