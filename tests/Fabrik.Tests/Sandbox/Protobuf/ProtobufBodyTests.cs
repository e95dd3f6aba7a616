using System.Text.Json.Nodes;
using Fabrik.Sandbox.Protobuf;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Validation;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Protobuf;

public class ProtobufBodyTests
{
    private static readonly string[] FromServer = ["creationTimestamp", "resourceVersion", "uid", "managedFields"];

    public static TheoryData<string> Stored => new(Directory.GetFiles(TestData.PathOf("sandbox/protobuf"), "*.stored.json").Select(path => Path.GetFileName(path)[..^".stored.json".Length]));

    [Theory, MemberData(nameof(Stored))]
    public void A_recorded_body_with_defaults_is_what_the_API_server_stored(string name)
    {
        var stored = Json.File($"protobuf/{name}.stored.json");
        var obj = ProtobufBody.Decode(TestData.Bytes($"sandbox/protobuf/{name}.pb"));
        Defaults.Apply(obj);
        var meta = obj["metadata"]!.AsObject();
        meta["namespace"] = "ci";
        meta["uid"] = stored["metadata"]!["uid"]!.DeepClone();
        Lifecycle.PrepareCreate(obj);
        Validator.Create(obj).ShouldBeEmpty();
        foreach (var field in FromServer)
        {
            meta.Remove(field);
            stored["metadata"]!.AsObject().Remove(field);
        }

        obj["status"] = stored["status"] = null;
        obj.ShouldEqual(stored, name);
    }

    [Fact]
    public void Reviews_and_token_requests_are_read()
    {
        var review = ProtobufBody.Decode(TestData.Bytes("sandbox/protobuf/self-subject-access-review.pb"));
        review["kind"]!.GetValue<string>().ShouldBe("SelfSubjectAccessReview");
        review["spec"]!["resourceAttributes"]!["verb"]!.GetValue<string>().ShouldNotBeEmpty();
        ProtobufBody.Decode(TestData.Bytes("sandbox/protobuf/token-request.pb"))["kind"]!.GetValue<string>().ShouldBe("TokenRequest");
    }

    [Fact]
    public void A_body_cut_anywhere_is_read_or_refused_but_never_breaks()
    {
        foreach (var file in Directory.GetFiles(TestData.PathOf("sandbox/protobuf"), "*.pb"))
        {
            var body = File.ReadAllBytes(file);
            for (var length = 0; length <= body.Length; length++) Read(body.AsSpan(0, length));
        }
    }

    [Fact]
    public void Mutated_bodies_are_read_or_refused_but_never_break()
    {
        var random = new Random(20261120);
        foreach (var file in Directory.GetFiles(TestData.PathOf("sandbox/protobuf"), "*.pb"))
        {
            var original = File.ReadAllBytes(file);
            for (var round = 0; round < 3000; round++)
            {
                var body = (byte[])original.Clone();
                for (var changes = random.Next(1, 5); changes > 0; changes--) body[random.Next(4, body.Length)] = (byte)random.Next(256);
                Read(body);
            }
        }
    }

    [Fact]
    public void A_length_beyond_the_end_is_refused_without_allocating_it()
    {
        byte[] body = [.. "k8s\0"u8, 0x12, 0xff, 0xff, 0xff, 0xff, 0x07];
        Should.Throw<RequestException>(() => ProtobufBody.Decode(body)).Code.ShouldBe(400);
    }

    [Fact]
    public void Packed_and_single_numbers_make_the_same_list()
    {
        // PodFailurePolicyOnExitCodesRequirement.values (3) inside rule (1: action, 2: onExitCodes) inside policy (1) inside spec (11) inside Job (2).
        static byte[] Job(params byte[] values)
        {
            byte[] codes = [0x12, 2, (byte)'I', (byte)'n', .. values];
            byte[] rule = [0x12, (byte)codes.Length, .. codes];
            byte[] policy = [0x0a, (byte)rule.Length, .. rule];
            byte[] spec = [0x5a, (byte)policy.Length, .. policy];
            byte[] job = [0x12, (byte)spec.Length, .. spec];
            byte[] meta = [0x0a, 8, .. "batch/v1"u8, 0x12, 3, .. "Job"u8];
            return [.. "k8s\0"u8, 0x0a, (byte)meta.Length, .. meta, 0x12, (byte)job.Length, .. job];
        }

        static JsonNode? Values(byte[] body) => ProtobufBody.Decode(body)["spec"]!["podFailurePolicy"]!["rules"]![0]!["onExitCodes"]!["values"];
        Values(Job(0x18, 2, 0x18, 42)).ShouldEqual("[2,42]");
        Values(Job(0x1a, 2, 2, 42)).ShouldEqual("[2,42]");
    }

    private static void Read(ReadOnlySpan<byte> body)
    {
        try
        {
            ProtobufBody.Decode(body).ShouldContainKey("kind");
        }
        catch (RequestException refused)
        {
            refused.Code.ShouldBe(400);
        }
    }
}
