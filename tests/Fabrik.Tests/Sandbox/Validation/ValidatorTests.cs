using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Tests.Sandbox.Validation;

public class ValidatorTests
{
    private const string Plain = """{"metadata":{"name":"j"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox"}]}}}}""";

    [Fact]
    public void The_recorded_refusal_of_a_Job_is_given_word_by_word()
    {
        var job = Job("""{"metadata":{"name":"bad"},"spec":{"template":{"spec":{"restartPolicy":"Always","containers":[{"name":"main","image":"busybox","resources":{"limits":{"memory":"2Gi"},"requests":{"memory":"4Gi"}}}]}}}}""");
        var refusal = FieldError.Refusal("batch", "Job", "bad", Validator.Create(job));
        var recorded = Json.File("status/422-invalid-job.json");
        refusal.Message.ShouldBe(recorded["message"]!.GetValue<string>());
        refusal.Details.ShouldEqual(recorded["details"]);
    }

    [Theory]
    [InlineData("metadata.name", "J", "FieldValueInvalid", "metadata.name")]
    [InlineData("spec.parallelism", -1, "FieldValueInvalid", "spec.parallelism")]
    [InlineData("spec.completionMode", "Sorted", "FieldValueNotSupported", "spec.completionMode")]
    [InlineData("spec.template.spec.containers.0.name", "", "FieldValueRequired", "spec.template.spec.containers[0].name")]
    [InlineData("spec.template.spec.containers.0.image", "", "FieldValueRequired", "spec.template.spec.containers[0].image")]
    [InlineData("spec.template.spec.containers.0.imagePullPolicy", "Sometimes", "FieldValueNotSupported", "spec.template.spec.containers[0].imagePullPolicy")]
    [InlineData("spec.template.spec.dnsPolicy", "x", "FieldValueNotSupported", "spec.template.spec.dnsPolicy")]
    public void One_wrong_field_is_one_error(string path, object value, string reason, string field)
    {
        var job = Job(Plain);
        Set(job, path, value is int number ? JsonValue.Create(number) : JsonValue.Create((string)value));
        var error = Validator.Create(job).ShouldHaveSingleItem();
        (error.Reason, error.Field).ShouldBe((reason, field));
    }

    [Theory]
    [InlineData("""{"metadata":{"labels":{"-x":"1"}}}""", "metadata.labels")]
    [InlineData("""{"metadata":{"labels":{"x":"a b"}}}""", "metadata.labels")]
    [InlineData("""{"spec":{"template":{"spec":{"tolerations":[{"key":"a","operator":"Exists","value":"b"}]}}}}""", "spec.template.spec.tolerations[0].operator")]
    [InlineData("""{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x","volumeMounts":[{"name":"v","mountPath":"/v"}]}]}}}}""", "spec.template.spec.containers[0].volumeMounts[0].name")]
    [InlineData("""{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"a","image":"y"}]}}}}""", "spec.template.spec.containers[1].name")]
    public void A_change_that_breaks_a_rule_is_named(string change, string field)
    {
        var job = Job(Fabrik.Sandbox.Patches.MergePatch.Apply(Json.Object(Plain), JsonNode.Parse(change)).ToJsonString());
        Validator.Create(job).ShouldHaveSingleItem().Field.ShouldBe(field);
    }

    [Fact]
    public void The_template_of_a_running_Job_is_immutable_and_its_labels_are_not()
    {
        var old = Job(Plain);
        var changed = old.DeepClone().AsObject();
        Set(changed, "spec.template.spec.containers.0.image", "other");
        var error = Validator.Update(changed, old).ShouldHaveSingleItem();
        error.Field.ShouldBe("spec.template");
        error.Message.ShouldStartWith("Invalid value: {");
        error.Message.ShouldEndWith(": field is immutable");

        var labelled = old.DeepClone().AsObject();
        labelled["metadata"]!["labels"]!["a"] = "b";
        labelled["spec"]!["parallelism"] = 3;
        labelled["spec"]!["suspend"] = true;
        Validator.Update(labelled, old).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("completions", 3)]
    [InlineData("completionMode", "Indexed")]
    [InlineData("managedBy", "x.y/z")]
    public void Other_fields_of_a_Job_are_immutable(string name, object value)
    {
        var old = Job(Plain);
        var changed = old.DeepClone().AsObject();
        changed["spec"]![name] = value is int number ? number : (string)value;
        Validator.Update(changed, old).ShouldHaveSingleItem().Field.ShouldBe("spec." + name);
    }

    [Fact]
    public void A_suspended_Job_without_active_Pods_may_be_placed_and_sized_anew()
    {
        var old = Job(Plain);
        old["spec"]!["suspend"] = true;
        var changed = old.DeepClone().AsObject();
        var pod = changed["spec"]!["template"]!["spec"]!;
        pod["nodeSelector"] = new JsonObject { ["pool"] = "run" };
        pod["containers"]![0]!["resources"] = Json.Object("""{"limits":{"memory":"1Gi"}}""");
        Validator.Update(changed, old).ShouldBeEmpty();
        old["status"] = new JsonObject { ["active"] = 1 };
        Validator.Update(changed, old).ShouldHaveSingleItem().Field.ShouldBe("spec.template");
    }

    [Fact]
    public void A_CronJob_needs_a_schedule_that_parses_and_a_time_zone_that_exists()
    {
        var cronJob = Json.Object($$$"""{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"c"},"spec":{"schedule":"61 * * * *","timeZone":"Mars/Base","jobTemplate":{"spec":{{{Json.Object(Plain)["spec"]}}} } } }""");
        Defaults.Apply(cronJob);
        Validator.Create(cronJob).Select(error => error.Field).ShouldBe(["spec.schedule", "spec.timeZone"]);
        cronJob["spec"]!["schedule"] = "@hourly";
        cronJob["spec"]!["timeZone"] = "Europe/Berlin";
        Validator.Create(cronJob).ShouldBeEmpty();
    }

    [Fact]
    public void Generation_rises_with_the_spec_alone_and_status_is_written_by_itself()
    {
        var old = Job(Plain);
        var labelled = old.DeepClone().AsObject();
        labelled["metadata"]!["labels"]!["a"] = "b";
        labelled["status"] = new JsonObject { ["active"] = 9 };
        Lifecycle.PrepareUpdate(labelled, old);
        labelled["metadata"]!["generation"]!.GetValue<long>().ShouldBe(1);
        labelled["status"].ShouldEqual(old["status"]);

        var changed = old.DeepClone().AsObject();
        changed["spec"]!["parallelism"] = 5;
        Lifecycle.PrepareUpdate(changed, old);
        changed["metadata"]!["generation"]!.GetValue<long>().ShouldBe(2);

        var status = changed.DeepClone().AsObject();
        status["status"] = new JsonObject { ["active"] = 1 };
        Lifecycle.PrepareUpdate(status, old, "status");
        status["spec"].ShouldEqual(old["spec"]);
        status["status"]!["active"]!.GetValue<int>().ShouldBe(1);
    }

    [Fact]
    public void Requests_follow_limits_on_Pods_and_not_in_templates()
    {
        const string Spec = """{"containers":[{"name":"a","image":"x:1","resources":{"limits":{"memory":"1Gi"}}}]}""";
        var pod = Json.Object($$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{{Spec}}}""");
        Defaults.Apply(pod);
        pod["spec"]!["containers"]![0]!["resources"]!["requests"].ShouldEqual("""{"memory":"1Gi"}""");
        var job = Job($$"""{"metadata":{"name":"j"},"spec":{"template":{"spec":{{Spec}} } } }""");
        job["spec"]!["template"]!["spec"]!["containers"]![0]!["resources"]!.AsObject().ShouldNotContainKey("requests");
    }

    private static JsonObject Job(string text)
    {
        var job = Json.Object(text);
        job["apiVersion"] = "batch/v1";
        job["kind"] = "Job";
        job = ObjectDecoder.FromNode(job, ApiTypes.Kind("batch/v1", "Job")!).Object;
        Defaults.Apply(job);
        job["metadata"]!["uid"] = "5c9fdd2a-0000-4000-8000-000000000000";
        Lifecycle.PrepareCreate(job);
        return job;
    }

    private static void Set(JsonObject obj, string path, JsonNode value)
    {
        var parts = path.Split('.');
        JsonNode node = obj;
        foreach (var part in parts[..^1]) node = int.TryParse(part, out var at) ? node[at]! : node[part]!;
        node[parts[^1]] = value;
    }
}
