using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Fabrik.Tests.Manifests;

namespace Fabrik.Tests.Images;

/// <summary>How images come to be: the Dockerfile against the checkout and the manifests, and an image that is really made, without an engine.</summary>
public partial class ImageTests
{
    private static readonly string Folder = Path.Combine(TestData.Checkout, "infra", "images");
    private static readonly string Dockerfile = File.ReadAllText(Path.Combine(Folder, "Dockerfile"));
    private static readonly XDocument Targets = XDocument.Load(Path.Combine(Folder, "Container.targets"));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>By the process that a build argument names: the project.</summary>
    private static Dictionary<string, string> Projects => Case().Matches(Dockerfile).ToDictionary(found => found.Groups["process"].Value, found => found.Groups["project"].Value, StringComparer.Ordinal);

    public static TheoryData<string, string> Machines => new() { { "linux-x64", "amd64" }, { "linux-arm64", "arm64" } };

    [Fact]
    public void The_dockerfile_builds_each_process_that_the_manifests_or_the_webhook_run_from_a_project_that_is_there()
    {
        Projects.Keys.Select(process => "ghcr.io/fabrik-dev/fabrik-" + process).Order()
            .ShouldBe(ManifestFiles.Containers.Select(one => (string)one.Container["image"]!).Append(Names.Images.Gate.Split(':')[0]).Order());
        foreach (var project in Projects.Values) File.Exists(Path.Combine(TestData.Checkout, project)).ShouldBeTrue(project);
        Dockerfile.ShouldContain($"PROCESS is {string.Join(", ", Projects.Keys.SkipLast(1))} or {Projects.Keys.Last()};");
    }

    [Fact]
    public void The_dockerfile_runs_as_the_user_of_the_manifests_on_bases_of_this_framework_and_copies_only_what_its_stages_have()
    {
        var user = Regex.Matches(Dockerfile, "^USER (?<user>.+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking).Single().Groups["user"].Value;
        user.ShouldBe("65532:65532");
        ManifestFiles.Workloads.ShouldAllBe(workload => (long)ManifestFiles.Pod(workload)["securityContext"]!["runAsUser"]! == 65532);

        var framework = XDocument.Load(Path.Combine(TestData.Checkout, "Directory.Build.props")).Descendants("TargetFramework").Single().Value;
        Dockerfile.ShouldContain($"ARG DOTNET={framework["net".Length..]}\n");
        var stages = From().Matches(Dockerfile).Select(found => found.Groups["stage"].Value).Where(stage => stage.Length > 0).ToList();
        Copy().Matches(Dockerfile).Select(found => found.Groups["stage"].Value).Except(stages).ShouldBeEmpty();
        foreach (var image in From().Matches(Dockerfile).Select(found => found.Groups["image"].Value).Except(stages)) image.ShouldMatch(":.+", $"{image} has no tag");

        // Stages that build run on the machine that builds; nothing runs in the one that is kept.
        var kept = Dockerfile[Dockerfile.IndexOf(" AS base", StringComparison.Ordinal)..];
        kept.ShouldNotContain("\nRUN ");
        kept.ShouldContain("ENTRYPOINT [\"/app/process\"]");
    }

    [Fact]
    public void Images_without_an_engine_have_the_names_and_ports_of_the_manifests()
    {
        foreach (var (process, project) in Projects)
        {
            var group = Targets.Descendants("PropertyGroup").Single(one => ((string?)one.Attribute("Condition"))?.Contains($"'{Path.GetFileNameWithoutExtension(project)}'", StringComparison.Ordinal) == true);
            group.Element("ContainerRepository")!.Value.ShouldBe("fabrik-dev/fabrik-" + process);
            if (process == "gate") group.Element("FabrikPorts")!.Value.ShouldBeEmpty();
            else group.Element("FabrikPorts")!.Value.Split(';').Order().ShouldBe(ManifestFiles.Container(process)["ports"]!.AsArray().Select(port => $"{(long)port!["containerPort"]!}").Order());
        }
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task An_image_is_made_without_an_engine_for_either_architecture_and_says_what_it_is(string machine, string architecture)
    {
        await using var registry = await BaseRegistry.StartAsync(Cancel);
        var home = Directory.CreateTempSubdirectory("fabrik-image-");
        var archive = Path.Combine(home.FullName, "image.tar.gz");
        var configuration = AppContext.BaseDirectory.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries)[^2];

        var said = await DotnetAsync(
            registry,
            "publish", "webhook/Fabrik.Webhook.csproj", "--no-build", "-c", configuration, "-t:PublishContainer", "-p:FabrikImage=true", $"-p:PublishDir={Path.Combine(home.FullName, "publish")}/",
            $"-p:ContainerBaseImage={registry.Authority}/base:1", $"-p:ContainerArchiveOutputPath={archive}", $"-p:ContainerRuntimeIdentifier={machine}");

        File.Exists(archive).ShouldBeTrue(said);
        var files = await UnpackAsync(archive);
        JsonNode.Parse(files["oci-layout"])!["imageLayoutVersion"]!.GetValue<string>().ShouldBe("1.0.0");
        var manifest = Blob(JsonNode.Parse(files["index.json"])!["manifests"]!.AsArray().Single()!);
        var config = Blob(manifest["config"]!);
        ((string)config["architecture"]!, (string)config["os"]!).ShouldBe((architecture, "linux"));
        var settings = config["config"]!;
        ((string)settings["User"]!).ShouldBe("65532:65532");
        settings["ExposedPorts"]!.AsObject().Select(port => port.Key).Order().ShouldBe(["9090/tcp", "9443/tcp"]);
        settings["Entrypoint"]!.AsArray().Select(one => (string)one!).ShouldContain("/app/Fabrik.Webhook.dll");
        var labels = settings["Labels"]!;
        var version = XDocument.Load(Path.Combine(TestData.Checkout, "Directory.Build.props")).Descendants("Version").Single().Value;
        ((string)labels["org.opencontainers.image.title"]!, (string)labels["org.opencontainers.image.version"]!).ShouldBe(("fabrik-webhook", version));
        ((string?)labels["org.opencontainers.image.source"]).ShouldNotBeNullOrEmpty();
        ((string?)labels["org.opencontainers.image.base.digest"]).ShouldNotBeNullOrEmpty();

        // The base's layer as it came, and ours with the program and nothing that belongs to nobody.
        var layers = manifest["layers"]!.AsArray();
        layers.Count.ShouldBe(2);
        var ours = await UnpackAsync(files[Path.Combine("blobs", "sha256", ((string)layers[1]!["digest"]!).Split(':')[1])]);
        ours.Keys.ShouldContain("app/Fabrik.Webhook.dll");
        ours.Keys.ShouldAllBe(path => path.StartsWith("app/", StringComparison.Ordinal));
        home.Delete(recursive: true);

        JsonNode Blob(JsonNode descriptor)
        {
            var digest = ((string)descriptor["digest"]!).Split(':')[1];
            var content = files[Path.Combine("blobs", "sha256", digest)];
            Convert.ToHexStringLower(SHA256.HashData(content)).ShouldBe(digest);
            content.Length.ShouldBe((int)descriptor["size"]!);
            return JsonNode.Parse(content)!;
        }
    }

    [Fact]
    public async Task What_an_image_is_made_of_is_told_from_the_lock_file_and_nothing_that_only_helps_to_build()
    {
        var told = JsonNode.Parse(await DotnetAsync(null, "run", "infra/images/sbom.cs", "--", "cronjobs/Fabrik.CronJobs.csproj"))!;
        var locked = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(TestData.Checkout, "cronjobs", "packages.lock.json"), Cancel))!["dependencies"]!.AsObject().First().Value!.AsObject();
        var expected = locked.Where(one => one.Value!["resolved"] is not null && !one.Key.Contains("Analyzer", StringComparison.Ordinal)).Select(one => $"pkg:nuget/{one.Key}@{(string)one.Value!["resolved"]!}").ToList();

        ((string)told["bomFormat"]!, (string)told["specVersion"]!).ShouldBe(("CycloneDX", "1.6"));
        var components = told["components"]!.AsArray().Select(one => (string)one!["purl"]!).ToList();
        components.Where(one => one.StartsWith("pkg:nuget/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ShouldBe(expected.Order(StringComparer.Ordinal));
        components.ShouldContain(one => one.StartsWith("pkg:nuget/Quartz@", StringComparison.Ordinal));
        foreach (var edge in told["dependencies"]!.AsArray())
            edge!["dependsOn"]!.AsArray().Select(one => (string)one!).Except(components).ShouldBeEmpty((string)edge["ref"]!);
    }

    private static async Task<Dictionary<string, byte[]>> UnpackAsync(string path) => await UnpackAsync(await File.ReadAllBytesAsync(path, Cancel));

    /// <summary>The files of a tar, packed or not.</summary>
    private static async Task<Dictionary<string, byte[]>> UnpackAsync(byte[] content)
    {
        Stream stream = new MemoryStream(content);
        if (content is [0x1f, 0x8b, ..]) stream = new GZipStream(stream, CompressionMode.Decompress);
        await using var tar = new TarReader(stream);
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        while (await tar.GetNextEntryAsync(copyData: true, Cancel) is { } entry)
        {
            if (entry.EntryType is TarEntryType.Directory) continue;
            using var copy = new MemoryStream();
            if (entry.DataStream is { } data) await data.CopyToAsync(copy, Cancel);
            files[entry.Name.TrimStart('.', '/')] = copy.ToArray();
        }

        return files;
    }

    private static async Task<string> DotnetAsync(BaseRegistry? registry, params string[] arguments)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", arguments)
            {
                WorkingDirectory = TestData.Checkout,
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
                Environment = { ["DOTNET_NOLOGO"] = "1", ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1", ["MSBUILDDISABLENODEREUSE"] = "1" },
            },
        };
        // Of the test host's own build; the one that is started finds its SDK by itself.
        foreach (var inherited in process.StartInfo.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase) && name != "MSBUILDDISABLENODEREUSE").ToList()) process.StartInfo.Environment.Remove(inherited);
        if (registry is not null) process.StartInfo.Environment["DOTNET_CONTAINER_INSECURE_REGISTRIES"] = registry.Authority;
        process.Start();
        var error = process.StandardError.ReadToEndAsync(Cancel);
        var output = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        process.ExitCode.ShouldBe(0, output + await error);
        return output;
    }

    [GeneratedRegex("^ +\"\\$1\" (?<process>[a-z]+) (?<project>[A-Za-z./]+)[ ;]", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.Multiline)]
    private static partial Regex Case();

    [GeneratedRegex("^FROM (--platform=\\$BUILDPLATFORM )?(?<image>[^ \n]+)( AS (?<stage>[a-z]+))?", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.Multiline)]
    private static partial Regex From();

    [GeneratedRegex("^COPY --from=(?<stage>[^ ]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.Multiline)]
    private static partial Regex Copy();
}
