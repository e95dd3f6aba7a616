using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Validation;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Validation;

/// <summary>What Kubernetes 1.36.2 answered to creates (dry run, strict field validation), right and wrong ones.</summary>
public class RecordedAnswersTests
{
    // Written by admission plug-ins of the recorded server into Pods, not by defaults.
    private static readonly string[] FromPlugIns = ["priority", "preemptionPolicy", "tolerations", "serviceAccountName", "serviceAccount"];

    private static readonly Dictionary<string, JsonObject> Answers = JsonNode.Parse(TestData.Bytes("sandbox/validation/answers.json"))!.AsArray()
        .Select(answer => answer!.AsObject()).ToDictionary(answer => answer["name"]!.GetValue<string>(), StringComparer.Ordinal);

    public static TheoryData<string> Names => new(Answers.Keys);

    [Theory, MemberData(nameof(Names))]
    public void A_create_is_answered_as_Kubernetes_answered_it(string name)
    {
        var answer = Answers[name];
        var stored = answer["stored"] as JsonObject;
        JsonObject? obj = null;
        var refusal = Record.Exception(() => obj = Create(answer["body"]!.AsObject(), stored)) as RequestException;
        if (stored is null)
        {
            var message = refusal.ShouldNotBeNull("accepted").Message;
            refusal.Code.ShouldBe(answer["code"]!.GetValue<int>());
            WithoutUid(message).ShouldBe(WithoutUid(answer["message"]!.GetValue<string>()));
            return;
        }

        refusal.ShouldBeNull();
        foreach (var field in FromPlugIns.Where(_ => name == "pod")) stored["spec"]!.AsObject().Remove(field);
        if (name == "pod")
        {
            obj!["spec"]!["volumes"]!.AsArray().Count.ShouldBeLessThanOrEqualTo(stored["spec"]!["volumes"]!.AsArray().Count);
            var volumes = stored["spec"]!["volumes"]!.AsArray();
            foreach (var extra in volumes.Where(volume => volume!["name"]!.GetValue<string>().StartsWith("kube-api-access", StringComparison.Ordinal)).ToArray()) volumes.Remove(extra);
            stored["spec"]!["containers"]![0]!.AsObject().Remove("volumeMounts");
        }

        foreach (var field in new[] { "uid", "resourceVersion", "namespace" })
        {
            stored["metadata"]!.AsObject().Remove(field);
            obj!["metadata"]!.AsObject().Remove(field);
        }

        obj.ShouldEqual(stored, name);
    }

    private static JsonObject Create(JsonObject body, JsonObject? stored)
    {
        var type = ApiTypes.Kind(body["apiVersion"]!.GetValue<string>(), body["kind"]!.GetValue<string>())!;
        var decoded = ObjectDecoder.FromJson(Encoding.UTF8.GetBytes(body.ToJsonString()), type);
        decoded.Judge(FieldValidation.Strict, type.Version, type.Name);
        var obj = decoded.Object;
        Defaults.Apply(obj);
        var meta = obj["metadata"]!.AsObject();
        meta["uid"] = stored?["metadata"]!["uid"]!.DeepClone() ?? Guid.Empty.ToString();
        if (stored?["metadata"]!["name"] is { } given) meta["name"] = given.DeepClone();
        Lifecycle.PrepareCreate(obj);
        var errors = Validator.Create(obj);
        return errors.Count == 0 ? obj : throw FieldError.Refusal(type.Group, type.Name, meta["name"]?.GetValue<string>() ?? "", errors);
    }

    private static string WithoutUid(string message) =>
        System.Text.RegularExpressions.Regex.Replace(message, "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
}
