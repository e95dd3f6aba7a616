using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Tests.Analysis;

public class EProcessTests
{
    private static readonly Block[] Sequence = [new(1, 1, 6, 9), new(0, 0, 7, 10), new(2, 2, 5, 8), new(1, 1, 7, 9)];
    private static readonly Block[] Bad = [new(0, 1, 9, 9), new(1, 2, 8, 8), new(0, 1, 8, 9)];

    [Fact]
    public void The_published_e_values_of_one_pair_a_block_come_out()
    {
        Math.Exp(BlockBet.Log(new Block(1, 1, 0, 1), 0.625, 0.375, 0)).ShouldBe(1.5625, 1e-12);
        Math.Exp(BlockBet.Log(new Block(1, 1, 1, 1), 0.625, 0.375, 0)).ShouldBe(0.9375, 1e-12);
    }

    [Theory]
    [InlineData(0.9, 0.9, 1, 9, -0.05, 0.8535941573, 0.9035941573)]
    [InlineData(0.9, 0.9, 2, 8, -0.05, 0.8573325663, 0.9073325663)]
    [InlineData(0.7, 0.2, 2, 1, 0.2, 0.6, 0.4)]
    [InlineData(0.2, 0.7, 1, 3, 0.2, 0.7008936440, 0.5008936440)]
    public void The_closest_pair_of_the_null_is_the_published_one(double treated, double control, int treatedUnits, int controlUnits, double difference, double nullTreated, double nullControl)
    {
        var (a, b) = BlockBet.Project(treated, control, treatedUnits, controlUnits, difference);
        a.ShouldBe(nullTreated, 5e-11);
        b.ShouldBe(nullControl, 5e-11);
    }

    [Fact]
    public void The_evidence_after_each_block_is_that_of_the_reference()
    {
        var evidence = new Evidence();
        double[] win = [1.236164873, 1.236164873, 2.041398489, 2.377513842], inferior = [1.269919005, 1.269919005, 2.238693325, 2.702403262], harm = [0.5816082652, 0.5816082652, 0.3118183893, 0.2627902244];
        for (var i = 0; i < Sequence.Length; i++)
        {
            evidence.Add("s", Sequence[i], Sequence[i], -0.05);
            evidence.Win.Value.ShouldBe(win[i], 5e-10);
            evidence.NonInferior.Value.ShouldBe(inferior[i], 5e-10);
            evidence.Harm.Value.ShouldBe(harm[i], 5e-11);
        }
    }

    [Fact]
    public void A_harmful_treatment_is_rolled_back_after_four_treated_runs()
    {
        var evidence = new Evidence();
        double[] harm = [2.437050722, 6.735674313, 20.04014745];
        for (var i = 0; i < Bad.Length; i++)
        {
            Judgement.Of(evidence, Goal.Win, new DecisionRules()).Decision.ShouldBe(Decision.Continue);
            evidence.Add("s", Bad[i], Bad[i], -0.05);
            evidence.Harm.Value.ShouldBe(harm[i], 5e-9);
        }

        var verdict = Judgement.Of(evidence, Goal.Win, new DecisionRules());
        verdict.Decision.ShouldBe(Decision.Rollback);
        verdict.Confidence.ShouldBe(1 - (1 / 20.04014745), 1e-9);
        verdict.Reasons.ShouldHaveSingleItem().ShouldBe("the treatment costs success: 25 % of 4 treated against 96.2 % of 26 control runs (evidence 20.04, 20 needed)");
    }

    /// <summary>Every outcome of a block, weighted with its chance, on a grid of rates inside and on the border of the null.</summary>
    [Theory]
    [InlineData(0, 1, 9)]
    [InlineData(0, 2, 8)]
    [InlineData(0, 5, 5)]
    [InlineData(0, 0, 10)]
    [InlineData(-0.05, 1, 9)]
    [InlineData(-0.05, 3, 7)]
    [InlineData(-0.05, 2, 2)]
    [InlineData(-0.05, 10, 0)]
    public void A_block_is_worth_at_most_one_on_average_wherever_the_null_holds(double difference, int treatedUnits, int controlUnits)
    {
        var hypothesis = difference == 0 ? NullHypothesis.NoGain : NullHypothesis.Inferior(difference);
        foreach (var (good, bad) in ((long, long)[])[(0, 0), (7, 3), (95, 5), (0, 20), (999, 1)])
        {
            var values = new double[treatedUnits + 1, controlUnits + 1];
            for (var a = 0; a <= treatedUnits; a++)
            {
                for (var b = 0; b <= controlUnits; b++)
                {
                    var process = new EProcess();
                    process.Add(hypothesis, new Block(a, treatedUnits, b, controlUnits), good, bad);
                    values[a, b] = process.Value;
                }
            }

            for (var control = 0.0; control <= 1; control += 0.05)
            {
                for (var treated = 0.0; treated <= Math.Min(1, control + difference) + 1e-12; treated += 0.05)
                {
                    var expected = 0.0;
                    for (var a = 0; a <= treatedUnits; a++)
                        for (var b = 0; b <= controlUnits; b++)
                            expected += Chance(a, treatedUnits, treated) * Chance(b, controlUnits, control) * values[a, b];
                    expected.ShouldBeLessThanOrEqualTo(1 + 1e-9, $"treated {treated}, control {control}, earlier controls {good} and {bad}");
                }
            }
        }
    }

    [Fact]
    public void Against_the_border_of_the_null_a_bet_can_win()
    {
        // Otherwise the enumeration above would hold for a process that never says anything.
        var process = new EProcess();
        foreach (var block in Enumerable.Repeat(new Block(1, 1, 6, 9), 40)) process.Add(NullHypothesis.NoGain, block, 600, 300);
        process.Value.ShouldBeGreaterThan(20);
    }

    [Fact]
    public void Strata_multiply_and_their_order_does_not_matter()
    {
        Evidence Of(params (string Stratum, Block Block)[] blocks)
        {
            var evidence = new Evidence();
            foreach (var (stratum, block) in blocks) evidence.Add(stratum, block, block, -0.05);
            return evidence;
        }

        var one = Of(("a", Sequence[0]), ("a", Sequence[2]), ("b", Bad[0]), ("b", Bad[1]));
        var other = Of(("b", Bad[0]), ("a", Sequence[0]), ("b", Bad[1]), ("a", Sequence[2]));
        other.Win.Value.ShouldBe(one.Win.Value, 1e-12);
        other.Harm.Value.ShouldBe(one.Harm.Value, 1e-12);
        var mixed = Of(("a", Sequence[0]), ("a", Sequence[2]), ("a", Bad[0]), ("a", Bad[1]));
        Math.Abs(mixed.Win.Value - one.Win.Value).ShouldBeGreaterThan(1e-3);
    }

    [Fact]
    public void A_win_needs_thirty_runs_of_each_arm_and_all_its_evidence()
    {
        var evidence = new Evidence();
        for (var i = 0; i < 29; i++) evidence.Add("s", new Block(1, 1, 3, 9), new Block(1, 1, 3, 9), -0.05);
        var early = Judgement.Of(evidence, Goal.Win, new DecisionRules());
        (early.Decision, early.Reasons.Single()).ShouldBe((Decision.Continue, "29 of 30 treated runs"));
        evidence.Add("s", new Block(1, 1, 3, 9), new Block(1, 1, 3, 9), -0.05);
        Judgement.Of(evidence, Goal.Win, new DecisionRules()).Decision.ShouldBe(Decision.Rollout);
        Judgement.Of(evidence, Goal.Win, new DecisionRules(), SampleRatio.Broken).Decision.ShouldBe(Decision.Continue);
    }

    [Fact]
    public void Checklist_68_the_same_outcomes_are_enough_for_what_is_cheaper_and_not_for_what_shall_be_better()
    {
        var evidence = new Evidence();
        for (var i = 0; i < 400; i++) evidence.Add("s", new Block(1, 1, 9, 9), new Block(1, 1, 9, 9), -0.05);
        Judgement.Of(evidence, Goal.Save, new DecisionRules()).Decision.ShouldBe(Decision.Rollout);
        var verdict = Judgement.Of(evidence, Goal.Win, new DecisionRules());
        verdict.Decision.ShouldBe(Decision.Continue);
        verdict.Reasons.ShouldHaveSingleItem().ShouldStartWith("evidence that the treatment is better");
    }

    [Fact]
    public void A_saving_needs_no_gain_but_no_loss_of_success_nor_of_its_goal()
    {
        var evidence = new Evidence();
        for (var i = 0; i < 400; i++) evidence.Add("s", new Block(1, 1, 9, 9), new Block(i % 2, 1, 9, 9), -0.05);
        evidence.NonInferior.Maximum.ShouldBeGreaterThan(20);
        var verdict = Judgement.Of(evidence, Goal.Save, new DecisionRules());
        verdict.Decision.ShouldBe(Decision.Continue);
        verdict.Reasons.ShouldHaveSingleItem().ShouldStartWith("evidence that it does not cost 5 points of its goal");
        Judgement.Of(evidence, Goal.Save, new DecisionRules(), isOver: true).Decision.ShouldBe(Decision.Inconclusive);
    }

    [Theory]
    [InlineData(0.1, 10)]
    [InlineData(0.19, 6)]
    [InlineData(0.2, 5)]
    [InlineData(0.5, 4)]
    [InlineData(0.3, 4)]
    public void A_block_has_one_treated_unit_on_average_and_four_units_at_least(double share, int size) => Block.Size(share).ShouldBe(size);

    private static double Chance(int good, int units, double rate) => MathNet.Numerics.Combinatorics.Combinations(units, good) * Math.Pow(rate, good) * Math.Pow(1 - rate, units - good);
}
