using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using static Fabrik.Tests.Admission.GatewayReviews;

namespace Fabrik.Tests.Admission;

/// <summary>What becomes of a run token that came with a copy of another Job.</summary>
public class CopiedTokenTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_copy_gets_a_token_of_its_own_and_is_what_a_new_Job_would_be(bool optimised)
    {
        var snapshot = optimised ? Both : GatewayAlone;
        var first = Review(Job("A=1"), snapshot);

        var copy = Review(first.After, snapshot, "rest");

        copy.Outcome.Reason.ShouldBe(optimised ? AdmissionReasons.CopyReassigned : AdmissionReasons.CopyRestored);
        Tokens(copy)[0].ShouldNotBe(Tokens(first)[0]);
        Claims(copy).RunId.ShouldBe(RunId(copy));
        copy.After.ToJsonString().ShouldBe(Review(Job("A=1"), snapshot, "rest").After.ToJsonString());
    }

    [Fact]
    public void A_copy_that_leaves_the_gateway_leaves_its_token()
    {
        var first = Review(Job("A=1"), Both);
        first.After["metadata"]!["annotations"]![Names.Annotations.Gateway] = "false";
        Environment(Review(first.After, Both, "rest"), "containers", 0).ShouldBe(["A=1"]);
        Environment(Review(first.After, Snapshots.Of("""{"namespaces": {"ci": {"fabrik.dev/enabled": "true"}}}"""), "rest"), "containers", 0).ShouldBe(["A=1"]);
    }

    [Theory]
    [InlineData("tampered")]
    [InlineData("stripped of annotations")]
    [InlineData("stripped of all but the environment")]
    public void Without_a_record_to_trust_a_foreign_token_goes_with_its_address_and_the_run_is_in_no_arm(string how)
    {
        var first = Review(Job("A=1"), Both).After;
        var metadata = first["metadata"]!.AsObject();
        if (how == "tampered") metadata["annotations"]![Names.Annotations.Assignment] = metadata["annotations"]![Names.Annotations.Assignment]!.GetValue<string>().Replace("\"ci\"", "\"cj\"", StringComparison.Ordinal);
        else metadata.Remove("annotations");
        if (how.EndsWith("environment", StringComparison.Ordinal))
        {
            metadata.Remove("labels");
            first["spec"]!["template"]!.AsObject().Remove("metadata");
        }

        var optimisedAlone = Review(first, Snapshots.Of("""{"namespaces": {"ci": {"fabrik.dev/enabled": "true"}}}"""), "rest");
        optimisedAlone.Outcome.Reason.ShouldBe(AdmissionReasons.CopyUnknown);
        Environment(optimisedAlone, "containers", 0).ShouldBe(["A=1"]);
        optimisedAlone.Assignment.ShouldBeNull();

        var again = Review(first, Both, "rest");
        again.Outcome.ShouldSatisfyAllConditions(outcome => outcome.Reason.ShouldBe(AdmissionReasons.CopyUnknown), outcome => outcome.Arm.ShouldBeNull());
        Claims(again).ShouldSatisfyAllConditions(claims => claims.RunId.ShouldBe(RunId(again)), claims => claims.Arm.ShouldBeNull());
        again.Assignment!.Arm.ShouldBe(Arm.Unassigned);
    }
}
