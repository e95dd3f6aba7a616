using System.Text.Json.Nodes;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Tests.Sandbox.Patches;

public class ServerSideApplyTests
{
    private static readonly TypeSchema Job = ApiTypes.Kind("batch/v1", "Job")!;
    private static readonly FieldShape Shape = FieldShape.Of(Job);

    [Fact]
    public void Fields_no_longer_applied_go_and_those_of_others_stay()
    {
        var live = Apply(null, """{"spec":{"parallelism":2,"backoffLimit":1,"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}}}""", "ci");
        var other = live.DeepClone().AsObject();
        other["spec"]!["template"]!["spec"]!["containers"]![0]!["resources"] = new JsonObject { ["limits"] = new JsonObject { ["cpu"] = "1" } };
        ManagedFields.Update(live, other, Shape, Writer("bot"));
        var result = Apply(other, """{"spec":{"parallelism":2,"template":{"spec":{"containers":[{"name":"a","image":"x2"}]}}}}""", "ci");
        result["spec"].ShouldEqual("""{"parallelism":2,"template":{"spec":{"containers":[{"name":"a","image":"x2","resources":{"limits":{"cpu":"1"}}}]}}}""");
    }

    [Fact]
    public void Applying_the_same_twice_changes_nothing_at_all()
    {
        const string Manifest = """{"metadata":{"labels":{"a":"b"}},"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}}}""";
        var first = Apply(null, Manifest, "ci");
        Apply(first, Manifest, "ci", minutes: 5).ShouldEqual(first);
    }

    [Fact]
    public void A_field_of_another_manager_is_a_conflict_named_by_path()
    {
        var live = Apply(null, """{"spec":{"parallelism":2,"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}}}""", "one");
        var refused = Should.Throw<RequestException>(() => Apply(live, """{"spec":{"parallelism":3}}""", "two"));
        refused.Code.ShouldBe(409);
        refused.Message.ShouldBe("""Apply failed with 1 conflict: conflict with "one": .spec.parallelism""");
        refused.Details!["causes"].ShouldEqual("""[{"reason":"FieldManagerConflict","message":"conflict with \"one\"","field":".spec.parallelism"}]""");

        var several = Should.Throw<RequestException>(() => Apply(live, """{"spec":{"parallelism":3,"template":{"spec":{"containers":[{"name":"a","image":"z"}]}}}}""", "two"));
        several.Message.ShouldBe("Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.parallelism\n- .spec.template.spec.containers[name=\"a\"].image");
    }

    [Fact]
    public void An_updater_is_named_with_its_version_in_a_conflict()
    {
        var live = Named("""{"spec":{"parallelism":2}}""");
        ManagedFields.Update(null, live, Shape, Writer("kubectl-client-side-apply"));
        Should.Throw<RequestException>(() => Apply(live, """{"spec":{"parallelism":3}}""", "ci")).Message
            .ShouldBe("""Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using batch/v1: .spec.parallelism""");
    }

    [Fact]
    public void Equal_values_are_shared_and_force_takes_fields_over()
    {
        var live = Apply(null, """{"spec":{"parallelism":2,"backoffLimit":1}}""", "one");
        var shared = Apply(live, """{"spec":{"parallelism":2}}""", "two");
        Owner(shared, "one").ShouldContainKey("f:parallelism");
        Owner(shared, "two").ShouldContainKey("f:parallelism");
        var forced = ServerSideApply.Apply(shared, Named("""{"spec":{"parallelism":5}}"""), Shape, Writer("two"), force: true);
        forced["spec"]!["parallelism"]!.GetValue<int>().ShouldBe(5);
        Owner(forced, "one").ShouldNotContainKey("f:parallelism");
        Owner(forced, "one").ShouldContainKey("f:backoffLimit");
    }

    [Fact]
    public void A_list_of_a_custom_resource_is_one_field_unless_its_schema_has_keys()
    {
        var schema = Json.Object("""
            {"type":"object","properties":{"spec":{"type":"object","properties":{
              "whole":{"type":"array","items":{"type":"string"}},
              "set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
              "map":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"items":{"type":"object","properties":{"k":{"type":"string"},"v":{"type":"integer"}}}}}}}}
            """);
        var shape = FieldShape.Of(schema);
        JsonObject With(string spec) => Json.Object($$"""{"apiVersion":"a.b/v1","kind":"C","metadata":{"name":"n"},"spec":{{spec}}}""");
        var live = ServerSideApply.Apply(null, With("""{"whole":["a"],"set":["a"],"map":[{"k":"a","v":1}]}"""), shape, new("one", "a.b/v1", DateTimeOffset.UnixEpoch), force: false);
        live["metadata"]!["managedFields"]![0]!["fieldsV1"].ShouldEqual(
            """{"f:spec":{"f:map":{"k:{\"k\":\"a\"}":{".":{},"f:k":{},"f:v":{}}},"f:set":{"v:\"a\"":{}},"f:whole":{}}}""");
        var result = ServerSideApply.Apply(live, With("""{"set":["b"],"map":[{"k":"b","v":2}]}"""), shape, new("two", "a.b/v1", DateTimeOffset.UnixEpoch), force: false);
        result["spec"].ShouldEqual("""{"whole":["a"],"set":["a","b"],"map":[{"k":"a","v":1},{"k":"b","v":2}]}""");
    }

    private static JsonObject Apply(JsonObject? live, string body, string manager, int minutes = 0) =>
        ServerSideApply.Apply(live, Named(body), Shape, Writer(manager, minutes), force: false);

    private static FieldWriter Writer(string manager, int minutes = 0) => new(manager, "batch/v1", DateTimeOffset.UnixEpoch.AddMinutes(minutes));

    private static JsonObject Named(string body)
    {
        var obj = Json.Object(body);
        obj["apiVersion"] = "batch/v1";
        obj["kind"] = "Job";
        var meta = obj["metadata"] as JsonObject ?? [];
        obj["metadata"] = meta;
        meta["name"] = "j";
        return obj;
    }

    private static JsonObject Owner(JsonObject obj, string manager) =>
        obj["metadata"]!["managedFields"]!.AsArray().Single(entry => entry!["manager"]!.GetValue<string>() == manager)!["fieldsV1"]!["f:spec"]!.AsObject();
}
