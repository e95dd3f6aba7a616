using System.Text.Json;
using Fabrik.Cli.Connections;

namespace Fabrik.Tests.Cli;

public sealed class RunFollowerTests
{
    [Theory]
    [InlineData("ErrImagePull", "failed to pull image: dial tcp: read udp 10.0.0.1:58164->10.0.0.2:53: i/o timeout")]
    [InlineData("ErrImagePull", "failed to pull image: dial tcp: read udp 10.0.0.1:50151->10.0.0.2:53: i/o timeout")]
    [InlineData("ImagePullBackOff", "Back-off pulling image \"busybox\"")]
    public void An_image_that_is_tried_again_and_again_is_told_once(string reason, string message)
    {
        var told = RunFollower.Waiting(Pod(JsonSerializer.Serialize(new[] { new { image = "busybox", state = new { waiting = new { reason, message } } } })))!.Value;

        told.State.ShouldBe("image busybox");
        told.Text.ShouldContain(message);
    }

    [Fact]
    public void A_container_that_waits_for_those_before_it_says_nothing_of_its_own() =>
        RunFollower.Waiting(Pod("""[{"image":"busybox","state":{"waiting":{"reason":"PodInitializing"}}}]""")).ShouldBe(("starting", "starting"));

    [Fact]
    public void A_gate_whose_image_is_missing_is_what_a_run_waits_for() =>
        RunFollower.Waiting(JsonDocument.Parse("""{"status":{"phase":"Pending","initContainerStatuses":[{"image":"gate","state":{"waiting":{"reason":"ErrImagePull"}}}],"containerStatuses":[{"image":"busybox","state":{"waiting":{"reason":"PodInitializing"}}}]}}""").RootElement)!
            .Value.State.ShouldBe("image gate");

    private static JsonElement Pod(string statuses) => JsonDocument.Parse("{\"status\":{\"phase\":\"Pending\",\"containerStatuses\":" + statuses + "}}").RootElement;
}
