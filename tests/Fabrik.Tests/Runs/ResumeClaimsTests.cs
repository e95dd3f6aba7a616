using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Runs;

namespace Fabrik.Tests.Runs;

public sealed class ResumeClaimsTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("1Mi")]
    [InlineData("5Gi")]
    [InlineData("2e9")]
    [InlineData("100Gi")]
    public void A_size_between_the_bounds_is_one(string size) => ResumeClaims.Size(size).ShouldNotBeNull();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("5GB")]
    [InlineData("-5Gi")]
    [InlineData("1048575")]
    [InlineData("107374182401")]
    [InlineData("9999999999999999999999Ei")]
    public void Nothing_else_is(string? size) => ResumeClaims.Size(size).ShouldBeNull();

    [Theory]
    [InlineData("Pending", null, null, 31, true)]
    [InlineData("Pending", null, null, 29, false)]
    [InlineData("Pending", "standard", null, 31, false)]
    [InlineData("Pending", null, "pv-1", 31, false)]
    [InlineData("Bound", null, "pv-1", 31, false)]
    public void A_claim_lacks_a_class_when_it_waits_longer_than_one_is_filled_in_late(string phase, string? storageClass, string? volume, int seconds, bool lacks)
    {
        var claim = new JsonObject
        {
            ["metadata"] = new JsonObject { ["creationTimestamp"] = (Now - TimeSpan.FromSeconds(seconds)).ToString("O") },
            ["spec"] = new JsonObject { ["storageClassName"] = storageClass, ["volumeName"] = volume },
            ["status"] = new JsonObject { ["phase"] = phase },
        };
        ResumeClaims.LacksClass(JsonSerializer.SerializeToElement(claim), Now).ShouldBe(lacks);
    }
}
