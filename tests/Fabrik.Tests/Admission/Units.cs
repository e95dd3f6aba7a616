using Fabrik.Experiments;

namespace Fabrik.Tests.Admission;

/// <summary>Request uids that fall where a test wants them, under the default salt.</summary>
internal static class Units
{
    public static string In(string place, int which = 0) => Enumerable.Range(0, int.MaxValue).Select(i => $"unit-{i}").Where(unit => Is(place, AssignmentBuckets.Bucket("fabrik", unit))).ElementAt(which);

    private static bool Is(string place, int bucket) => place switch
    {
        "slot0" => bucket < 1000,
        "slot1" => bucket is >= 1900 and < 2900,
        "slot2" => bucket is >= 3800 and < 4800,
        "holdback0" => bucket is >= 5700 and < 6200,
        "holdback1" => bucket is >= 6200 and < 6700,
        "control" => bucket is >= 9200 and < 9500,
        "rest" => bucket is >= 5700 and < 9500,
        "holdout" => bucket >= 9500,
        _ => throw new ArgumentOutOfRangeException(nameof(place), place, "slot0 to slot2, holdback0, holdback1, control, rest or holdout"),
    };
}
