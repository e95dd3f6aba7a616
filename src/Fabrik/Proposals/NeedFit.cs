using MathNet.Numerics.Distributions;

namespace Fabrik.Proposals;

/// <summary>
/// A log-normal distribution of what runs need, from needs that were seen and from those of which only a bound is known: a run that was killed
/// needed more than its limit, one that ended well without a sample needed less. The most likely one, with a mild belief that the spread is
/// ordinary, so that bounds alone are enough.
/// </summary>
/// <param name="Mu">Mean of the natural logarithms.</param>
/// <param name="Sigma">Their standard deviation.</param>
public sealed record NeedFit(double Mu, double Sigma)
{
    /// <summary>The belief: so many runs of a spread like this.</summary>
    private const double UsualSigma = 0.5;
    private const double BelievedRuns = 5;
    private const int Rounds = 400;

    public double Quantile(double part) => Math.Exp(Mu + (Sigma * Normal.InvCDF(0, 1, part)));

    /// <summary>The part of the runs that needs more.</summary>
    public double Above(double amount) => 1 - Normal.CDF(Mu, Sigma, Math.Log(amount));

    /// <summary>By expectation maximisation; null where nothing is known.</summary>
    /// <param name="seen">Needs that were seen.</param>
    /// <param name="above">Lower bounds: killed at these limits.</param>
    /// <param name="below">Upper bounds: ended well under these limits.</param>
    public static NeedFit? Of(LogHistogram seen, LogHistogram above, LogHistogram below)
    {
        var total = seen.Total + above.Total + below.Total;
        if (total == 0) return null;
        var start = seen.Counts.Concat(above.Counts).Concat(below.Counts).ToList();
        var mu = start.Sum(one => LogHistogram.MiddleLog(one.Key) * one.Value) / total;
        var sigma = UsualSigma;
        for (var round = 0; round < Rounds; round++)
        {
            double first = 0, second = 0;
            foreach (var (bucket, count) in seen.Counts) Add(LogHistogram.MiddleLog(bucket), 0, count);
            foreach (var (bucket, count) in above.Counts)
            {
                var alpha = (LogHistogram.EdgeLog(bucket) - mu) / sigma;
                var hazard = Hazard(alpha);
                Add(mu + (sigma * hazard), sigma * sigma * Math.Max(0, 1 + (alpha * hazard) - (hazard * hazard)), count);
            }

            foreach (var (bucket, count) in below.Counts)
            {
                var alpha = (LogHistogram.EdgeLog(bucket) - mu) / sigma;
                var hazard = Hazard(-alpha);
                Add(mu - (sigma * hazard), sigma * sigma * Math.Max(0, 1 - (alpha * hazard) - (hazard * hazard)), count);
            }

            var mean = first / total;
            var spread = Math.Sqrt(Math.Max(1e-4, ((second - (total * mean * mean)) + (BelievedRuns * UsualSigma * UsualSigma)) / (total + BelievedRuns)));
            var moved = Math.Abs(mean - mu) + Math.Abs(spread - sigma);
            (mu, sigma) = (mean, spread);
            if (moved < 1e-7) break;

            void Add(double expected, double variance, int count)
            {
                first += count * expected;
                second += count * ((expected * expected) + variance);
            }
        }

        return new NeedFit(mu, sigma);
    }

    /// <summary>Density over upper tail of the standard normal; far out its own limit, where both are nothing.</summary>
    private static double Hazard(double at) => at > 30 ? at : Normal.PDF(0, 1, at) / Math.Max(1e-300, 1 - Normal.CDF(0, 1, at));
}
