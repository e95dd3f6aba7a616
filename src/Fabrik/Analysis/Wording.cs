using System.Globalization;

namespace Fabrik.Analysis;

/// <summary>Figures in reasons that people read.</summary>
internal static class Wording
{
    public static string Percent(double rate) => double.IsNaN(rate) ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100 * rate:0.#} %");

    public static string Number(double value) => value >= 1e6 ? value.ToString("0.0e+0", CultureInfo.InvariantCulture) : value.ToString(value < 100 ? "0.##" : "0", CultureInfo.InvariantCulture);

    public static string Rates(double treatedRate, long treated, double controlRate, long control) =>
        $"{Percent(treatedRate)} of {treated} treated against {Percent(controlRate)} of {control} control runs";
}
