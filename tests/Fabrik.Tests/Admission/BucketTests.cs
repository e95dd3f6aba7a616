using Fabrik.Experiments;

namespace Fabrik.Tests.Admission;

public class BucketTests
{
    [Theory]
    [InlineData("memory:2026-02", "ns1/nightly-29012345", 7483)]
    [InlineData("memory:2026-02", "ns1/nightly-29012346", 2767)]
    [InlineData("model:2026-02", "ns1/nightly-29012345", 9597)]
    [InlineData("", "", 67)]
    [InlineData("exp-20260216-001", "fabrik-runs/run-abc", 8916)]
    public void The_published_vectors_hold(string salt, string unit, int bucket) => AssignmentBuckets.Bucket(salt, unit).ShouldBe(bucket);

    [Fact]
    public void Ten_thousand_units_spread_evenly_and_slots_and_holdout_never_meet()
    {
        var counts = new int[5];
        for (var unit = 0; unit < 10_000; unit++)
        {
            var bucket = AssignmentBuckets.Bucket("salt", unit.ToString());
            var slots = Enumerable.Range(0, AssignmentBuckets.Slots).Where(slot => AssignmentBuckets.IsTreated(bucket, slot, 0.19)).ToArray();
            slots.Length.ShouldBeLessThanOrEqualTo(1);
            if (AssignmentBuckets.IsHoldout(bucket)) slots.ShouldBeEmpty();
            counts[AssignmentBuckets.IsHoldout(bucket) ? 4 : slots is [var slot] ? slot : 3]++;
        }

        // Five standard deviations of a binomial count.
        int[] expected = [1900, 1900, 1900, 3800, 500];
        for (var i = 0; i < counts.Length; i++) Math.Abs(counts[i] - expected[i]).ShouldBeLessThan(5 * (int)Math.Sqrt(expected[i]));
    }

    [Fact]
    public void Holdbacks_meet_neither_slots_nor_holdout_nor_each_other()
    {
        for (var bucket = 0; bucket < AssignmentBuckets.Count; bucket++)
        {
            var slots = Enumerable.Range(0, AssignmentBuckets.Slots).Count(slot => AssignmentBuckets.IsTreated(bucket, slot, 0.19));
            var holdbacks = Enumerable.Range(0, AssignmentBuckets.Holdbacks).Count(holdback => AssignmentBuckets.IsHeldBack(bucket, holdback));
            (slots + holdbacks + (AssignmentBuckets.IsHoldout(bucket) ? 1 : 0)).ShouldBe(bucket is >= 9200 and < 9500 ? 0 : 1);
        }

        Enumerable.Range(0, AssignmentBuckets.Count).Count(bucket => AssignmentBuckets.IsHeldBack(bucket, 6)).ShouldBe(AssignmentBuckets.HoldbackSize);
    }

    [Fact]
    public void A_larger_share_only_adds_buckets()
    {
        for (var share = 0.0; share < 0.25; share += 0.005)
            for (var bucket = 0; bucket < AssignmentBuckets.Count; bucket++)
                if (AssignmentBuckets.IsTreated(bucket, 1, share)) AssignmentBuckets.IsTreated(bucket, 1, share + 0.005).ShouldBeTrue();
        AssignmentBuckets.Width(0.1).ShouldBe(1000);
        AssignmentBuckets.Width(0.5).ShouldBe(AssignmentBuckets.SlotSize);
        AssignmentBuckets.Width(double.NaN).ShouldBe(0);
    }
}
