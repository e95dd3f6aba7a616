using Fabrik.Analysis;

namespace Fabrik.Tests.Analysis;

public class SampleRatioTests
{
    [Theory]
    [InlineData(80, 420, 0.1, 525.08642)]
    [InlineData(45, 255, 0.1, 7.344261)]
    [InlineData(30, 270, 0.1, 0.4968516)]
    [InlineData(70, 30, 0.5, 40.437582)]
    public void The_Bayes_factors_of_the_reference_come_out(long treated, long control, double share, double factor) =>
        Math.Exp(SampleRatio.LogBayesFactor(treated, control, share)).ShouldBe(factor, factor * 1e-7);

    [Theory]
    [InlineData(821_588, 815_482, 0.5, 1.8217929e-6)]
    [InlineData(80, 420, 0.1, 7.744216e-6)]
    public void The_chi_squared_test_gives_the_published_p_values(long treated, long control, double share, double p) =>
        SampleRatio.ChiSquared(treated, control, share).PValue.ShouldBe(p, p * 1e-6);
}
