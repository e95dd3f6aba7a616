using System.Text.Json.Nodes;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Tests.Sandbox.Patches;

public class PatchTests
{
    private static readonly TypeSchema Pod = ApiTypes.Kind("v1", "Pod")!;

    [Theory]
    [InlineData("""{"a":1}""", """[{"op":"add","path":"/b","value":2}]""", """{"a":1,"b":2}""")]
    [InlineData("""{"a":[1,3]}""", """[{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}]""", """{"a":[1,2,3,4]}""")]
    [InlineData("""{"a":{"x/y":1,"m~n":2}}""", """[{"op":"remove","path":"/a/x~1y"},{"op":"replace","path":"/a/m~0n","value":3}]""", """{"a":{"m~n":3}}""")]
    [InlineData("""{"a":1,"b":{}}""", """[{"op":"move","from":"/a","path":"/b/c"},{"op":"copy","from":"/b","path":"/d"}]""", """{"b":{"c":1},"d":{"c":1}}""")]
    [InlineData("""{"a":[1,2]}""", """[{"op":"test","path":"/a","value":[1,2]},{"op":"test","path":"/none","value":null},{"op":"remove","path":"/a/0"}]""", """{"a":[2]}""")]
    public void A_JSON_patch_does_its_operations_in_order(string document, string patch, string expected) =>
        JsonPatch.Apply(Json.Object(document), JsonNode.Parse(patch)).ShouldEqual(expected);

    [Theory]
    [InlineData("""[{"op":"remove","path":"/none"}]""", 422)]
    [InlineData("""[{"op":"replace","path":"/none/deeper","value":1}]""", 422)]
    [InlineData("""[{"op":"add","path":"/no/where","value":1}]""", 422)]
    [InlineData("""[{"op":"add","path":"/list/9","value":1}]""", 422)]
    [InlineData("""[{"op":"test","path":"/a","value":2}]""", 422)]
    [InlineData("""[{"op":"jump","path":"/a"}]""", 422)]
    [InlineData("""[{"op":"add","path":"a","value":1}]""", 422)]
    [InlineData("""{"a":1}""", 400)]
    [InlineData("""[1]""", 400)]
    [InlineData("""[{"op":"replace","path":"","value":3}]""", 400)]
    public void A_JSON_patch_that_does_not_fit_is_refused(string patch, int code) =>
        Should.Throw<RequestException>(() => JsonPatch.Apply(Json.Object("""{"a":1,"list":[]}"""), JsonNode.Parse(patch))).Code.ShouldBe(code);

    [Fact]
    public void A_merge_patch_removes_by_null_and_replaces_lists() => MergePatch
        .Apply(Json.Object("""{"a":{"b":1,"c":[1,2]},"d":1}"""), JsonNode.Parse("""{"a":{"b":null,"c":[3],"e":{"f":null}}}"""))
        .ShouldEqual("""{"a":{"c":[3],"e":{}},"d":1}""");

    [Theory]
    [InlineData("""{"containers":[{"name":"a","image":"x2"}]}""", """{"containers":[{"name":"a","image":"x2","args":["1"]},{"name":"b","image":"y"}]}""")]
    [InlineData("""{"containers":[{"name":"a","args":["2"]},{"name":"c","image":"z"}]}""", """{"containers":[{"name":"a","image":"x","args":["2"]},{"name":"b","image":"y"},{"name":"c","image":"z"}]}""")]
    [InlineData("""{"containers":[{"name":"a","$patch":"delete"}]}""", """{"containers":[{"name":"b","image":"y"}]}""")]
    [InlineData("""{"containers":[{"$patch":"replace"},{"name":"c","image":"z"}]}""", """{"containers":[{"name":"c","image":"z"}]}""")]
    [InlineData("""{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b","image":"y2"}]}""", """{"containers":[{"name":"b","image":"y2"},{"name":"a","image":"x","args":["1"]}]}""")]
    [InlineData("""{"$patch":"replace","containers":[{"name":"z"}]}""", """{"containers":[{"name":"z"}]}""")]
    public void A_strategic_patch_merges_lists_by_their_key(string patch, string expected) => Strategic(
        """{"containers":[{"name":"a","image":"x","args":["1"]},{"name":"b","image":"y"}]}""", patch).ShouldEqual(expected);

    [Fact]
    public void A_strategic_patch_keeps_only_the_retained_keys() => Strategic(
        """{"volumes":[{"name":"v","emptyDir":{}}]}""",
        """{"volumes":[{"name":"v","hostPath":{"path":"/x"},"$retainKeys":["name","hostPath"]}]}""").ShouldEqual("""{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}""");

    [Fact]
    public void Lists_of_scalars_with_strategy_merge_are_sets()
    {
        var meta = StrategicMergePatch.Apply(
            Json.Object("""{"metadata":{"finalizers":["a","b"]}}"""),
            JsonNode.Parse("""{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}}"""),
            Pod);
        meta.ShouldEqual("""{"metadata":{"finalizers":["c","b"]}}""");
    }

    [Theory]
    [InlineData("""{"containers":[{"image":"x"}]}""")]
    [InlineData("""{"containers":["x"]}""")]
    [InlineData("""{"$patch":"explode"}""")]
    public void A_strategic_patch_without_its_key_or_with_a_wrong_directive_is_refused(string patch) =>
        Should.Throw<RequestException>(() => Strategic("""{"containers":[]}""", patch)).Code.ShouldBe(400);

    [Fact]
    public void Applying_the_difference_of_two_documents_gives_the_second()
    {
        var random = new Random(7);
        for (var round = 0; round < 2000; round++)
        {
            var (from, to) = (Random(random, 3), Random(random, 3));
            MergePatch.Apply(from, Difference(from, to)).ShouldEqual(to);
        }
    }

    [Fact]
    public void No_patch_changes_the_document_it_is_given_and_none_breaks()
    {
        var random = new Random(11);
        string[] paths = ["", "/a", "/b/c", "/a/0", "/a/-", "/a/-1", "/b/~1", "/x/y/z", "a", "//", "/"];
        string[] ops = ["add", "remove", "replace", "move", "copy", "test", "other"];
        for (var round = 0; round < 5000; round++)
        {
            var document = Random(random, 3);
            var copy = document.DeepClone();
            var patch = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => (JsonNode)new JsonObject
            {
                ["op"] = ops[random.Next(ops.Length)], ["path"] = paths[random.Next(paths.Length)], ["from"] = paths[random.Next(paths.Length)], ["value"] = Random(random, 2),
            })]);
            foreach (var apply in new Func<JsonObject>[]
            {
                () => JsonPatch.Apply(document, patch),
                () => MergePatch.Apply(document, Random(random, 3)),
                () => StrategicMergePatch.Apply(document, Random(random, 3), Pod),
                () => ServerSideApply.Apply(document, Random(random, 3), FieldShape.Of(Pod), new("m", "v1", DateTimeOffset.UnixEpoch), force: true),
            })
            {
                try
                {
                    apply();
                }
                catch (RequestException refused)
                {
                    refused.Code.ShouldBeInRange(400, 422);
                }

                document.ShouldEqual(copy);
            }
        }
    }

    private static JsonNode? Strategic(string spec, string patch) =>
        StrategicMergePatch.Apply(new() { ["spec"] = JsonNode.Parse(spec) }, new JsonObject { ["spec"] = JsonNode.Parse(patch) }, Pod)["spec"];

    private static JsonObject Difference(JsonObject from, JsonObject to)
    {
        var patch = new JsonObject();
        foreach (var (name, _) in from)
        {
            if (!to.ContainsKey(name)) patch[name] = null;
        }

        foreach (var (name, value) in to)
        {
            if (from[name] is JsonObject old && value is JsonObject now) patch[name] = Difference(old, now);
            else if (!JsonNode.DeepEquals(from[name], value)) patch[name] = value?.DeepClone();
        }

        return patch;
    }

    private static JsonObject Random(Random random, int depth)
    {
        string[] names = ["a", "b", "c", "metadata", "spec", "containers", "volumes", "name", "$patch", "finalizers", "labels"];
        var result = new JsonObject();
        for (var count = random.Next(0, 4); count > 0; count--)
        {
            var name = names[random.Next(depth > 1 ? names.Length : 3)];
            if (name == "$patch" && depth == 3) continue;
            result[name] = random.Next(5) switch
            {
                0 when depth > 0 => Random(random, depth - 1),
                1 when depth > 0 => new JsonArray([.. Enumerable.Range(0, random.Next(3)).Select(_ => (JsonNode)Random(random, depth - 1))]),
                2 => new JsonArray("x", random.Next(3)),
                3 => random.Next(3),
                _ => "text",
            };
        }

        return result;
    }
}
