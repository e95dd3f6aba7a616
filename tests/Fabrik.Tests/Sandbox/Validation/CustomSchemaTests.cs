using System.Text.Json.Nodes;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Tests.Sandbox.Validation;

public class CustomSchemaTests
{
    private static readonly CustomSchema Schema = new(Json.Object("""
        {"type":"object","required":["spec"],"properties":{
          "spec":{"type":"object","required":["type"],"properties":{
            "type":{"type":"string","enum":["a","b"]},
            "share":{"type":"number","default":0.1,"minimum":0,"maximum":0.2,"exclusiveMaximum":true},
            "count":{"type":"integer"},
            "name":{"type":"string","pattern":"^[a-z]+$","maxLength":5},
            "port":{"x-kubernetes-int-or-string":true},
            "open":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
            "list":{"type":"array","maxItems":2,"items":{"type":"object","properties":{"k":{"type":"string","default":"x"}}}},
            "none":{"type":"string","nullable":true},
            "map":{"type":"object","additionalProperties":{"type":"string"}}}}}}
        """));

    [Fact]
    public void Unknown_fields_go_and_defaults_come()
    {
        var decoded = Schema.Decode(Json.Object("""{"apiVersion":"x/v1","kind":"C","metadata":{"name":"n","foo":1},"extra":1,"spec":{"type":"a","typo":1,"open":{"any":1},"list":[{"z":1}],"none":null,"count":null}}"""));
        decoded.Object.ShouldEqual("""{"apiVersion":"x/v1","kind":"C","metadata":{"name":"n"},"spec":{"type":"a","share":0.1,"open":{"any":1},"list":[{"k":"x"}],"none":null}}""");
        decoded.Problems.ShouldBe(["unknown field \"extra\"", "unknown field \"spec.typo\"", "unknown field \"spec.list[0].z\"", "unknown field \"metadata.foo\""], ignoreOrder: true);
        Schema.Validate(decoded.Object).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{}""", "spec", "Required value")]
    [InlineData("""{"spec":{}}""", "spec.type", "Required value")]
    [InlineData("""{"spec":{"type":"c"}}""", "spec.type", "Unsupported value: \"c\": supported values: \"a\", \"b\"")]
    [InlineData("""{"spec":{"type":"a","share":0.2}}""", "spec.share", "Invalid value: 0.2: spec.share in body should be less than 0.2")]
    [InlineData("""{"spec":{"type":"a","share":-1}}""", "spec.share", "Invalid value: -1: spec.share in body should be greater than or equal to 0")]
    [InlineData("""{"spec":{"type":"a","count":"1"}}""", "spec.count", "Invalid value: \"string\": spec.count in body must be of type integer: \"string\"")]
    [InlineData("""{"spec":{"type":"a","count":1.5}}""", "spec.count", "Invalid value: \"number\": spec.count in body must be of type integer: \"number\"")]
    [InlineData("""{"spec":{"type":"a","name":"A"}}""", "spec.name", "Invalid value: \"A\": spec.name in body should match '^[a-z]+$'")]
    [InlineData("""{"spec":{"type":"a","name":"abcdef"}}""", "spec.name", "Too long: may not be more than 5 bytes")]
    [InlineData("""{"spec":{"type":"a","list":[{},{},{}]}}""", "spec.list", "Too many: 3: must have at most 2 items")]
    [InlineData("""{"spec":{"type":"a","port":true}}""", "spec.port", "Invalid value: \"boolean\": spec.port in body must be of type integer or string: \"boolean\"")]
    public void A_wrong_value_is_named_with_its_reason(string body, string field, string message)
    {
        var error = Schema.Validate(Json.Object(body)).ShouldHaveSingleItem();
        (error.Field, error.Message).ShouldBe((field, message));
    }

    [Fact]
    public void A_definition_with_CEL_rules_of_others_is_refused_clearly()
    {
        JsonObject Definition(string group) => Json.Object($$$"""
            {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"cs.{{{group}}}"},"spec":{"group":"{{{group}}}","scope":"Namespaced","names":{"plural":"cs","kind":"C","singular":"c","listKind":"CList"},
             "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-validations":[{"rule":"true"}]} } }] } }
            """);
        var error = Validator.Create(Definition("other.dev")).ShouldHaveSingleItem();
        error.Field.ShouldBe("spec.versions[0].schema.openAPIV3Schema.x-kubernetes-validations");
        error.Message.ShouldContain("CEL");
        Validator.Create(Definition("fabrik.dev")).ShouldBeEmpty();
    }
}
