using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Schema;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Patches;

public class ManagedFieldsTests
{
    public static TheoryData<string> Recorded => new(Directory.GetFiles(TestData.PathOf("sandbox/managed-fields"), "*.json").Select(path => Path.GetFileName(path)));

    [Theory, MemberData(nameof(Recorded))]
    public void A_recorded_write_leaves_the_recorded_managed_fields(string name)
    {
        var file = Json.File("managed-fields/" + name);
        var obj = file["object"]!.AsObject();
        var old = file["oldObject"] as JsonObject;
        var expected = obj["metadata"]!["managedFields"]!.AsArray();
        var before = old?["metadata"]?["managedFields"];
        var entry = expected.OfType<JsonObject>().First(one => before is null || !before.AsArray().Any(other => JsonNode.DeepEquals(one!["manager"], other!["manager"])));
        var writer = new FieldWriter(
            entry["manager"]!.GetValue<string>(),
            entry["apiVersion"]!.GetValue<string>(),
            DateTimeOffset.Parse(entry["time"]!.GetValue<string>(), CultureInfo.InvariantCulture),
            entry["subresource"]?.GetValue<string>() ?? "");
        var written = obj.DeepClone().AsObject();
        if (before is null) written["metadata"]!.AsObject().Remove("managedFields");
        else written["metadata"]!["managedFields"] = before.DeepClone();
        var shape = FieldShape.Of(ApiTypes.Kind(obj["apiVersion"]!.GetValue<string>(), obj["kind"]!.GetValue<string>())!);

        // Admission sees the object after other plug-ins have filled in more, which nobody owns: those fields only show up as surplus.
        ManagedFields.Update(old, written, shape, writer);
        var actual = written["metadata"]!["managedFields"]!.AsArray();
        actual.Count.ShouldBe(expected.Count);
        foreach (var (mine, theirs) in actual.Zip(expected))
        {
            foreach (var field in new[] { "manager", "operation", "apiVersion", "time", "fieldsType", "subresource" }) mine![field].ShouldEqual(theirs![field], field);
            var owned = FieldSet.Read(mine!["fieldsV1"]);
            var recorded = FieldSet.Read(theirs!["fieldsV1"]);
            recorded.Except(owned).Paths().ShouldBeEmpty("fields that the API server gives the manager, and this does not");
            if (name.StartsWith("pods-", StringComparison.Ordinal)) continue;
            owned.Except(recorded).Paths().ShouldBeEmpty("fields that this gives the manager, and the API server does not");
        }
    }

    [Fact]
    public void A_field_that_another_manager_changes_becomes_its_own()
    {
        var shape = FieldShape.Of(ApiTypes.Kind("v1", "ConfigMap")!);
        var first = Json.Object("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","y":"1"}}""");
        ManagedFields.Update(null, first, shape, new("one", "v1", DateTimeOffset.UnixEpoch));
        var second = first.DeepClone().AsObject();
        second["data"]!["x"] = "2";
        second["data"]!.AsObject().Remove("y");
        ManagedFields.Update(first, second, shape, new("two", "v1", DateTimeOffset.UnixEpoch.AddMinutes(1)));
        second["metadata"]!["managedFields"].ShouldEqual("""
            [{"manager":"one","operation":"Update","apiVersion":"v1","time":"1970-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{}}},
             {"manager":"two","operation":"Update","apiVersion":"v1","time":"1970-01-01T00:01:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:x":{}}}}]
            """);
    }
}
