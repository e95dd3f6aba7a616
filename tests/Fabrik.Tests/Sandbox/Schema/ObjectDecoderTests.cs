using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Tests.Sandbox.Schema;

public class ObjectDecoderTests
{
    private static readonly TypeSchema Job = ApiTypes.Kind("batch/v1", "Job")!;

    [Fact]
    public void Unknown_and_doubled_fields_are_named_by_path()
    {
        var decoded = Decode("""{"kind":"Job","spec":{"foo":1,"suspend":true,"suspend":false,"template":{"spec":{"containers":[{"name":"a"},{"bar":1}]}}}}""");
        decoded.Problems.ShouldBe(["duplicate field \"spec.suspend\"", "unknown field \"spec.foo\"", "unknown field \"spec.template.spec.containers[1].bar\""], ignoreOrder: true);
        decoded.Object["spec"]!["suspend"]!.GetValue<bool>().ShouldBeFalse();
        decoded.Object["spec"]!.AsObject().ShouldNotContainKey("foo");
        decoded.Judge(FieldValidation.Ignore, "v1", "Job").ShouldBeEmpty();
        decoded.Judge(FieldValidation.Warn, "v1", "Job").Count.ShouldBe(3);
        Should.Throw<RequestException>(() => Decode("""{"spec":{"foo":1}}""").Judge(FieldValidation.Strict, "v1", "Job")).Message
            .ShouldBe("Job in version \"v1\" cannot be handled as a Job: strict decoding error: unknown field \"spec.foo\"");
    }

    [Theory]
    [InlineData("""{"spec":{"backoffLimit":"6"}}""", "json: cannot unmarshal string into Go struct field JobSpec.spec.backoffLimit of type int32")]
    [InlineData("""{"spec":{"suspend":1}}""", "json: cannot unmarshal number into Go struct field JobSpec.spec.suspend of type bool")]
    [InlineData("""{"spec":{"template":{"spec":{"containers":[{"env":[{"name":"A","value":1}]}]}}}}""", "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string")]
    [InlineData("""{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"abc"}}}]}}}}""", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    public void A_wrong_type_is_refused_in_the_words_of_the_API_server(string body, string message)
    {
        var refused = Should.Throw<RequestException>(() => Decode(body));
        refused.Code.ShouldBe(400);
        refused.Message.ShouldBe("Job in version \"v1\" cannot be handled as a Job: " + message);
    }

    [Fact]
    public void Empty_optional_values_go_and_required_parts_appear()
    {
        Decode("""{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a","labels":{},"creationTimestamp":null},"spec":{"parallelism":0,"template":{"spec":{"nodeName":"","containers":[{"name":"m","args":[],"ports":[{"containerPort":1,"hostPort":0}]}]}}}}""")
            .Object.ShouldEqual("""
            {"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"},"spec":{"parallelism":0,"template":{"metadata":{},"spec":{"containers":[{"name":"m","ports":[{"containerPort":1}],"resources":{}}]}}},"status":{}}
            """);
    }

    [Theory]
    [InlineData("0.5", "500m")]
    [InlineData("1024Mi", "1Gi")]
    [InlineData("1000m", "1")]
    [InlineData("1500Mi", "1500Mi")]
    [InlineData("0.1m", "100u")]
    [InlineData("1e3", "1e3")]
    [InlineData("2000000", "2M")]
    [InlineData("0", "0")]
    [InlineData("-1.5Gi", "-1536Mi")]
    public void A_quantity_gets_its_canonical_form(string written, string canonical)
    {
        Quantity.TryParse(written, out var quantity, out _).ShouldBeTrue();
        quantity.ToString().ShouldBe(canonical);
        Quantity.TryParse(canonical, out var again, out _).ShouldBeTrue();
        again.Billionths.ShouldBe(quantity.Billionths);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("nonsense")]
    public void What_is_no_object_is_refused(string body) => Should.Throw<RequestException>(() => Decode(body)).Code.ShouldBe(400);

    [Fact]
    public void A_body_nested_beyond_reason_is_refused() =>
        Should.Throw<RequestException>(() => Decode(string.Concat(Enumerable.Repeat("{\"a\":", 5000)))).Code.ShouldBe(400);

    [Fact]
    public void The_canonical_form_of_every_recorded_object_is_the_object_itself()
    {
        foreach (var path in Directory.GetFiles(Support.TestData.PathOf("sandbox/managed-fields")))
        {
            var obj = JsonNode.Parse(File.ReadAllBytes(path))!["object"]!.AsObject();
            var decoded = ObjectDecoder.FromNode(obj, ApiTypes.Kind(obj["apiVersion"]!.GetValue<string>(), obj["kind"]!.GetValue<string>())!);
            decoded.Problems.ShouldBeEmpty();
            decoded.Object.ShouldEqual(obj, path);
        }
    }

    private static DecodedObject Decode(string body) => ObjectDecoder.FromJson(Encoding.UTF8.GetBytes(body), Job);
}
