using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli.Checks;

/// <summary>What is given away must hold no secret, wherever it stood.</summary>
public sealed class BundleTests : IAsyncLifetime
{
    private const string Password = "pl4nted-w0rd";
    private const string RunToken = "fbk-run-1.k1.eyJydW4iOiJ4In0.c2lnbmF0dXJl";
    private const string WebToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.aGVsbG8tc2lnbmF0dXJl";
    private const string ProviderKey = "sk-proj-planted0123456789";
    private const string Variable = "Planted/Variable+Value=";
    private const string KeyLine = "MHcCAQEEIPlantedPrivateKeyLineOfSixtyFourCharactersOfBase64Text0";

    private readonly ClusterOfObjects cluster = new();
    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-bundle-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => cluster.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Not_one_byte_sequence_of_a_planted_secret_is_in_the_bundle()
    {
        await SecretAsync("fabrik-provider-keys", ("openai", Password), ("tls.key", $"-----BEGIN PRIVATE KEY-----\n{KeyLine}\n-----END PRIVATE KEY-----\n"));
        await ConfigAsync(
            ("config.json", $$"""{"note":"we use {{Password}} here","apiKey":"unknown-planted-key","url":"https://anna:planted-in-url@host/"}"""),
            ("start.sh", $"curl -H 'Authorization: Bearer {WebToken}' --password planted-after-flag-0 https://x; export TOKEN=planted-in-export"),
            ("encoded", Convert.ToBase64String(Encoding.UTF8.GetBytes($"user:{Password}"))));
        await PodAsync();

        var path = Path.Combine(directory, "support.tgz");
        var command = await cluster.FabrikAsync("check", "--category", "crds", "-o", "short", "--bundle", path);

        command.Error.ShouldContain($"wrote {path} with ");
        var bytes = Unpacked(path);
        var text = Encoding.UTF8.GetString(bytes);
        text.ShouldContain("fabrik-provider-keys"); // the object is there, and the names of its keys
        text.ShouldContain("start.sh");
        text.ShouldContain(Redaction.Mark);
        foreach (var secret in (string[])[Password, KeyLine, WebToken, RunToken, ProviderKey, Variable, "unknown-planted-key", "planted-in-url", "planted-after-flag-0", "planted-in-export"])
            foreach (var form in Forms(secret))
                bytes.AsSpan().IndexOf(form).ShouldBe(-1, $"{secret} as {Encoding.UTF8.GetString(form)}");
        if (!OperatingSystem.IsWindows()) File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task It_has_what_helps_results_objects_and_what_could_not_be_read()
    {
        var path = Path.Combine(directory, "support.tgz");
        await cluster.FabrikAsync("check", "--category", "crds", "-o", "short", "--bundle", path);

        var names = Names(path);
        names.ShouldContain("fabrik-support/checks.json");
        names.ShouldContain("fabrik-support/objects/customresourcedefinitions.apiextensions.k8s.io.json");
        names.ShouldContain("fabrik-support/missing.txt");
        names.ShouldBeUnique();
    }

    [Theory]
    [InlineData("OPENAI_API_KEY", true)]
    [InlineData("DB_PASSWORD", true)]
    [InlineData("githubToken", true)]
    [InlineData("FABRIK_TOKEN_FILE", false)]
    [InlineData("secretName", false)]
    [InlineData("maxTokens", false)]
    [InlineData("image", false)]
    public void Names_of_secrets_are_told_from_names_of_their_files(string name, bool secret) => Redaction.IsSecretName(name).ShouldBe(secret);

    [Fact]
    public void What_is_no_secret_stays_as_it_is()
    {
        var item = JsonNode.Parse("""{"kind":"Deployment","metadata":{"name":"fabrik-run-token-key","labels":{"app":"x"}},"spec":{"replicas":2,"automountServiceAccountToken":false,"selector":{"matchExpressions":[{"key":"fabrik.dev/enabled","operator":"In"}]}}}""");

        new Redaction([]).Object(item)!.ToJsonString().ShouldBe(item!.ToJsonString());
        new Redaction([]).Text("2026-11-27 06:47 webhook ready, 3 tokens refused").ShouldBe("2026-11-27 06:47 webhook ready, 3 tokens refused");
    }

    /// <summary>As it is, and as base64 wherever in a longer text it stands.</summary>
    private static IEnumerable<byte[]> Forms(string secret)
    {
        yield return Encoding.UTF8.GetBytes(secret);
        for (var shift = 0; shift < 3; shift++)
        {
            var text = Convert.ToBase64String([.. new byte[shift], .. Encoding.UTF8.GetBytes(secret)]).TrimEnd('=');
            yield return Encoding.UTF8.GetBytes(text[((shift * 8 + 5) / 6)..^1]);
        }
    }

    private static byte[] Unpacked(string path)
    {
        using var zip = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        var all = new MemoryStream();
        zip.CopyTo(all);
        return all.ToArray();
    }

    private static List<string> Names(string path)
    {
        using var tar = new TarReader(new MemoryStream(Unpacked(path)));
        var names = new List<string>();
        while (tar.GetNextEntry() is { } entry) names.Add(entry.Name);
        return names;
    }

    private Task SecretAsync(string name, params (string Key, string Value)[] data) => cluster.Client.CreateAsync(Kinds.Secret, Fabrik.Names.GatewayNamespace, new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Secret",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["annotations"] = new JsonObject { ["kubectl.kubernetes.io/last-applied-configuration"] = $$$"""{"stringData":{"openai":"{{{Password}}}"}}""" },
        },
        ["data"] = new JsonObject(data.Select(one => KeyValuePair.Create(one.Key, (JsonNode?)Convert.ToBase64String(Encoding.UTF8.GetBytes(one.Value))))),
    }, Cancel);

    private Task ConfigAsync(params (string Key, string Value)[] data) => cluster.Client.CreateAsync(Kinds.ConfigMap, Fabrik.Names.GatewayNamespace, new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = "settings", ["labels"] = new JsonObject { [Fabrik.Names.Labels.PartOf] = "fabrik" } },
        ["data"] = new JsonObject(data.Select(one => KeyValuePair.Create(one.Key, (JsonNode?)one.Value))),
    }, Cancel);

    private Task PodAsync() => cluster.Client.CreateAsync(Kinds.Pod, Fabrik.Names.SystemNamespace, new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Pod",
        ["metadata"] = new JsonObject { ["name"] = "run" },
        ["spec"] = new JsonObject
        {
            ["containers"] = new JsonArray(new JsonObject
            {
                ["name"] = "main",
                ["image"] = "x",
                ["command"] = new JsonArray("run", $"--api-key={ProviderKey}", $"--note={Variable}"),
                ["env"] = new JsonArray(
                    new JsonObject { ["name"] = "OPENAI_API_KEY", ["value"] = RunToken },
                    new JsonObject { ["name"] = "DB_PASSWORD", ["value"] = Variable }),
            }),
        },
    }, Cancel);
}
