using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Watching;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Kubernetes;

public class ObjectReaderTests
{
    [Theory]
    [InlineData("""{"kind":"Job","metadata":{"managedFields":[{"a":{"b":[1]}}],"name":"x"}}""")]
    [InlineData("""{"kind":"Job","metadata":{"name":"x","managedFields":[]}}""")]
    [InlineData("""{"kind":"Job","metadata":{"managedFields":null}}""")]
    [InlineData("""{ "kind" : "Job" , "metadata" : { "name" : "x" , "managedFields" : [ "," , "}" ] } , "spec" : { "metadata" : { "managedFields" : 1 } } }""")]
    [InlineData("""{"kind":"Job","metadata":{"a":"\"managedFields\":","managedFields":[{"k":"]"}] , "z":{"managedFields":2}}}""")]
    [InlineData("""{"kind":"Job","metadata":[{"managedFields":1}]}""")]
    [InlineData("""{"kind":"Job","managedFields":1}""")]
    [InlineData("""{"metadata":{"managedFields":[]},"spec":1}""")]
    [InlineData("""{ }""")]
    public void Managed_fields_are_cut_and_a_missing_kind_is_put_back_and_all_else_stays(string json)
    {
        var expected = JsonNode.Parse(json)!.AsObject();
        if (expected["metadata"] is JsonObject metadata) metadata.Remove("managedFields");
        if (!expected.ContainsKey("kind"))
        {
            expected["kind"] = "Job";
            expected["apiVersion"] = "batch/v1";
        }

        var read = ObjectReader.Read(Encoding.UTF8.GetBytes(json), Kinds.Job, dropManagedFields: true);
        JsonNode.DeepEquals(read.ToNode(), expected).ShouldBeTrue(read.Json.GetRawText());
        ObjectReader.Read(Encoding.UTF8.GetBytes(json), dropManagedFields: false).Json.GetRawText().ShouldBe(json);
    }

    [Fact]
    public void Every_recorded_object_loses_its_managed_fields_and_nothing_else()
    {
        foreach (var line in new[] { "jobs", "pods", "cronjobs", "events" }.SelectMany(name => TestData.Text($"watch/{name}.ndjson").Split('\n', StringSplitOptions.RemoveEmptyEntries)))
        {
            var expected = JsonNode.Parse(line)!["object"]!;
            (expected["metadata"] as JsonObject)?.Remove("managedFields");
            JsonNode.DeepEquals(WatchLine.Parse(Encoding.UTF8.GetBytes(line), Kinds.Job, dropManagedFields: true).Object.ToNode(), expected).ShouldBeTrue(line[..100]);
        }
    }

    [Fact]
    public async Task A_line_without_end_is_refused_before_it_fills_the_memory()
    {
        using var reader = new LineReader(new Endless(), longest: 1 << 20);
        await Should.ThrowAsync<InvalidDataException>(() => reader.ReadAsync(default).AsTask());
    }

    [Fact]
    public async Task A_line_much_longer_than_the_others_comes_whole_between_them()
    {
        var text = $"a\n{new string('b', 3_000_000)}\n\nc\n{new string('d', 40_000)}\ncut off";
        using var reader = new LineReader(new MemoryStream(Encoding.UTF8.GetBytes(text)));
        foreach (var line in text.Split('\n')[..^1]) Encoding.UTF8.GetString((await reader.ReadAsync(default))!.Value.Span).ShouldBe(line);
        (await reader.ReadAsync(default)).ShouldBeNull();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"type\":\"ADDED\"}")]
    [InlineData("{\"type\":\"ADDED\",\"object\":1}")]
    [InlineData("{\"type\":\"SOMETHING\",\"object\":{}}")]
    [InlineData("{\"type\":\"ERROR\"}")]
    [InlineData("{\"type\":\"ADDED\",\"object\":{\"metadata\":{}")]
    public void A_line_that_is_no_event_is_a_typed_error(string line) =>
        Should.Throw<KubernetesException>(() => WatchLine.Parse(Encoding.UTF8.GetBytes(line), Kinds.Job, true)).Reason.ShouldBe(KubernetesException.NotKubernetes);

    [Theory]
    [InlineData("{\"type\":\"ERROR\",\"object\":{}}")]
    [InlineData("{\"object\":{\"code\":\"x\",\"details\":{\"causes\":[1]}},\"type\":\"ERROR\"}")]
    public void An_error_event_without_a_proper_Status_is_an_error_all_the_same(string line) =>
        Should.Throw<KubernetesException>(() => WatchLine.Parse(Encoding.UTF8.GetBytes(line), Kinds.Job, true)).Code.ShouldBe(500);

    private sealed class Endless : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            buffer.Span.Fill((byte)'x');
            return ValueTask.FromResult(buffer.Length);
        }
    }
}
