namespace Fabrik.Analysis;

/// <summary>
/// The e-value of one block against the null hypothesis that the treated succeed at most d more often than the controls, for one fixed
/// alternative. Its expectation is at most 1 for every pair of rates in the null, whatever came before (Turner, Ly and Gruenwald: the
/// alternative is projected on the null by Kullback-Leibler divergence, weighted by the arms' counts).
/// </summary>
public static class BlockBet
{
    private const int Steps = 200;
    private const double Precision = 1e-13;

    /// <param name="block">Counts.</param>
    /// <param name="treated">The alternative's rate of good outcomes with the treatment, inside (0, 1).</param>
    /// <param name="control">The same for controls.</param>
    /// <param name="difference">d: 0 for "no better", -0.05 for "worse by 5 points or more".</param>
    /// <returns>The natural logarithm of the e-value; 0 where the block cannot tell the two apart.</returns>
    public static double Log(Block block, double treated, double control, double difference)
    {
        if (treated - control <= difference || block.Treated == 0 || block.Control == 0) return 0;
        var (nullTreated, nullControl) = Project(treated, control, block.Treated, block.Control, difference);
        return Part(block.TreatedGood, block.Treated, treated, nullTreated) + Part(block.ControlGood, block.Control, control, nullControl);
    }

    /// <summary>The pair of rates in the null that is closest to the alternative.</summary>
    public static (double Treated, double Control) Project(double treated, double control, int treatedUnits, int controlUnits, double difference)
    {
        if (difference == 0)
        {
            var pooled = ((treatedUnits * treated) + (controlUnits * control)) / (treatedUnits + controlUnits);
            return (pooled, pooled);
        }

        // The slope of the divergence along the border of the null grows with x; Newton's steps, halved wherever they would leave the bracket.
        var (low, high) = (Math.Max(0, -difference), Math.Min(1, 1 - difference));
        var x = Math.Clamp(control, low + ((high - low) * 0.01), high - ((high - low) * 0.01));
        for (var step = 0; step < Steps; step++)
        {
            var y = x + difference;
            var (a, b) = (treatedUnits / (y * (1 - y)), controlUnits / (x * (1 - x)));
            var slope = (a * (y - treated)) + (b * (x - control));
            if (slope > 0) high = x;
            else low = x;
            var curve = a + b - (a * (y - treated) * (1 - (2 * y)) / (y * (1 - y))) - (b * (x - control) * (1 - (2 * x)) / (x * (1 - x)));
            var next = curve > 0 ? x - (slope / curve) : (low + high) / 2;
            if (!(next > low && next < high)) next = (low + high) / 2;
            if (Math.Abs(next - x) < Precision) return (next + difference, next);
            x = next;
        }

        return (x + difference, x);
    }

    private static double Part(int good, int units, double alternative, double none) =>
        (good == 0 ? 0 : good * Math.Log(alternative / none)) + (good == units ? 0 : (units - good) * Math.Log((1 - alternative) / (1 - none)));
}
