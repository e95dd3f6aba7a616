using System.Globalization;

namespace Fabrik.Schedules;

/// <summary>One field of a cron expression as a set of bits; the highest bit says that it was written with a star.</summary>
internal sealed record CronField(int Minimum, int Maximum, IReadOnlyList<string> Names)
{
    /// <summary>Decides whether day of month and day of week must both match (set) or either one (clear).</summary>
    public const ulong Star = 1UL << 63;

    public static readonly CronField Minutes = new(0, 59, []);
    public static readonly CronField Hours = new(0, 23, []);
    public static readonly CronField DaysOfMonth = new(1, 31, []);
    public static readonly CronField Months = new(1, 12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]);
    public static readonly CronField DaysOfWeek = new(0, 6, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);

    public ulong All => Range(Minimum, Maximum, 1) | Star;

    /// <summary>Empty items are dropped, so a lone comma is a set that never matches.</summary>
    public ulong Parse(string text) =>
        text.Split(',', StringSplitOptions.RemoveEmptyEntries).Aggregate(0UL, (bits, item) => bits | ParseItem(item));

    private ulong ParseItem(string item)
    {
        var rangeAndStep = item.Split('/');
        var ends = rangeAndStep[0].Split('-');
        var star = ends[0] is "*" or "?";
        var bits = star ? Star : 0;
        long first, last;
        if (star)
        {
            // Whatever follows the hyphen is ignored, as the parser of Kubernetes does.
            (first, last) = (Minimum, Maximum);
        }
        else
        {
            first = NumberOrName(ends[0]);
            last = ends.Length switch
            {
                1 => first,
                2 => NumberOrName(ends[1]),
                _ => throw new FormatException($"too many hyphens: {item}"),
            };
        }

        var step = 1L;
        if (rangeAndStep.Length > 2) throw new FormatException($"too many slashes: {item}");
        if (rangeAndStep.Length == 2)
        {
            step = Number(rangeAndStep[1]);
            if (ends.Length == 1) last = Maximum;
            if (step > 1) bits = 0;
        }

        if (first < Minimum) throw new FormatException($"beginning of range ({first}) below minimum ({Minimum}): {item}");
        if (last > Maximum) throw new FormatException($"end of range ({last}) above maximum ({Maximum}): {item}");
        if (first > last) throw new FormatException($"beginning of range ({first}) beyond end of range ({last}): {item}");
        if (step == 0) throw new FormatException($"step of range should be a positive number: {item}");
        return bits | Range((int)first, (int)last, step);
    }

    private static ulong Range(int first, int last, long step)
    {
        var bits = 0UL;
        for (var value = first; value <= last; value += (int)Math.Min(step, 64)) bits |= 1UL << value;
        return bits;
    }

    private long NumberOrName(string text)
    {
        for (var index = 0; index < Names.Count; index++)
            if (Names[index].Equals(text, StringComparison.OrdinalIgnoreCase)) return index + Minimum;
        return Number(text);
    }

    private static long Number(string text)
    {
        const NumberStyles Sign = NumberStyles.AllowLeadingSign;
        var digits = text is ['+' or '-', .. var rest] ? rest : text;
        if (digits.Length == 0 || !digits.All(char.IsAsciiDigit))
            throw new FormatException($"failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": invalid syntax");
        if (!long.TryParse(text, Sign, CultureInfo.InvariantCulture, out var number))
            throw new FormatException($"failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": value out of range");
        return number >= 0 ? number : throw new FormatException($"negative number ({number}) not allowed: {text}");
    }
}
