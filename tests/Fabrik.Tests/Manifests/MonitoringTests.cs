using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>Monitors and alerts against the processes' metrics and ports, and against the runbook.</summary>
public partial class MonitoringTests
{
    private static readonly string Folder = Path.Combine(ManifestFiles.Folder, "overlays", "monitoring");
    private static readonly JsonObject Rule = Manifest.Read(File.ReadAllText(Path.Combine(Folder, "rules.yaml"))).Single();

    private static IEnumerable<JsonObject> Alerts => Rule["spec"]!["groups"]!.AsArray().SelectMany(group => group!["rules"]!.AsArray()).Select(rule => rule!.AsObject());

    [Fact]
    public void Every_alert_says_how_bad_it_is_what_happened_and_where_to_read_on()
    {
        var anchors = File.ReadLines(Path.Combine(TestData.Checkout, Names.Documents.Runbook)).Where(line => line.StartsWith("## ", StringComparison.Ordinal)).Select(line => line[3..].Trim()).ToList();
        foreach (var alert in Alerts)
        {
            var name = (string)alert["alert"]!;
            ((string)alert["labels"]!["severity"]!).ShouldBeOneOf(["critical", "warning", "info"], name);
            ((string?)alert["annotations"]!["summary"]).ShouldNotBeNullOrWhiteSpace(name);
            ((string?)alert["annotations"]!["description"]).ShouldNotBeNullOrWhiteSpace(name);
            new Uri((string)alert["annotations"]!["runbook_url"]!).AbsolutePath.ShouldEndWith("/" + Names.Documents.Runbook);
            new Uri((string)alert["annotations"]!["runbook_url"]!).Fragment.ShouldBe("#" + name.ToLowerInvariant());
            anchors.ShouldContain(name);
        }

        anchors.Where(anchor => anchor.StartsWith("Fabrik", StringComparison.Ordinal)).Except(Alerts.Select(alert => (string)alert["alert"]!)).ShouldBeEmpty("explained, but no alert");
    }

    [Fact]
    public void Every_metric_that_an_alert_asks_for_is_one_that_a_process_exposes()
    {
        var exposed = Instruments().ToHashSet(StringComparer.Ordinal);
        var asked = Alerts.SelectMany(alert => Metric().Matches((string)alert["expr"]!).Select(found => found.Value)).Distinct().ToList();

        asked.Count.ShouldBeGreaterThan(15);
        asked.Except(exposed).ShouldBeEmpty();
    }

    [Fact]
    public async Task Promtool_takes_the_rules_and_each_alert_fires_when_it_should_and_not_before()
    {
        PrometheusProcess.Need();
        var home = Directory.CreateTempSubdirectory("fabrik-rules-");
        await File.WriteAllTextAsync(Path.Combine(home.FullName, "rules.yaml"), Rule["spec"]!.ToJsonString(), TestContext.Current.CancellationToken); // YAML contains JSON
        File.Copy(TestData.PathOf("monitoring/alerts.yaml"), Path.Combine(home.FullName, "alerts.yaml"));

        (await PromtoolAsync(home.FullName, "check", "rules", "rules.yaml")).ShouldContain($"SUCCESS: {Alerts.Count()} rules found");
        await PromtoolAsync(home.FullName, "test", "rules", "alerts.yaml");
        home.Delete(recursive: true);
    }

    [Fact]
    public void Each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not()
    {
        var tests = Manifest.Read(TestData.Text("monitoring/alerts.yaml")).Single()["tests"]!.AsArray().SelectMany(test => test!["alert_rule_test"]!.AsArray()).ToLookup(test => (string)test!["alertname"]!, test => test!["exp_alerts"]!.AsArray().Count > 0);

        tests.Select(test => test.Key).Order().ShouldBe(Alerts.Select(alert => (string)alert["alert"]!).Order());
        foreach (var test in tests) (test.Count(), test.Contains(true), test.Contains(false)).ShouldBe((2, true, true), test.Key);
    }

    [Fact]
    public void Each_process_is_scraped_on_a_port_that_its_service_has()
    {
        var scraped = new List<string>();
        foreach (var monitor in Manifest.Read(File.ReadAllText(Path.Combine(Folder, "service-monitors.yaml"))))
        {
            var labels = monitor["spec"]!["selector"]!["matchLabels"]!.AsObject();
            var service = ManifestFiles.Base.Single(item => ManifestFiles.Kind(item) == "Service" && ManifestFiles.Namespace(item) == ManifestFiles.Namespace(monitor) && labels.All(label => (string?)item["metadata"]!["labels"]![label.Key] == (string)label.Value!));
            foreach (var endpoint in monitor["spec"]!["endpoints"]!.AsArray())
            {
                var port = service["spec"]!["ports"]!.AsArray().Single(one => (string)one!["name"]! == (string)endpoint!["port"]!)!;
                ((string)endpoint!["path"]!).ShouldBe(Names.Paths.Metrics);
                ((string?)endpoint["scheme"] ?? "http").ShouldBe((string)port["name"]! == "https" ? "https" : "http");
                scraped.Add(ManifestFiles.Name(ManifestFiles.Containers.Single(one => ManifestFiles.Namespace(one.Workload) == ManifestFiles.Namespace(service)
                    && service["spec"]!["selector"]!.AsObject().All(label => (string?)one.Workload["spec"]!["template"]!["metadata"]!["labels"]![label.Key] == (string)label.Value!)
                    && one.Container["ports"]!.AsArray().Any(own => (string)own!["name"]! == (string)port["targetPort"]!)).Container));
            }
        }

        scraped.Order().ShouldBe(["api", "gateway", "scheduler", "webhook"]);
    }

    [Fact]
    public void Who_scrapes_by_annotations_finds_a_port_of_the_pod()
    {
        foreach (var workload in ManifestFiles.Workloads)
        {
            var annotations = workload["spec"]!["template"]!["metadata"]!["annotations"]!;
            ((string)annotations["prometheus.io/path"]!).ShouldBe(Names.Paths.Metrics);
            var ports = ManifestFiles.Pod(workload)["containers"]!.AsArray().SelectMany(container => container!["ports"]!.AsArray()).ToDictionary(port => (long)port!["containerPort"]!, port => (string)port!["name"]!);
            ports[long.Parse((string)annotations["prometheus.io/port"]!, System.Globalization.CultureInfo.InvariantCulture)].ShouldBeOneOf("metrics", "http");
        }
    }

    /// <summary>What the source makes instruments of, as Prometheus sees their names: each sample of a counter and of a histogram.</summary>
    private static IEnumerable<string> Instruments()
    {
        var names = typeof(Names.Metrics).GetFields().ToDictionary(field => $"Names.Metrics.{field.Name}", field => (string)field.GetRawConstantValue()!, StringComparer.Ordinal);
        foreach (var file in ((string[])["webhook", "proxy", "cronjobs", "src"]).SelectMany(folder => Directory.GetFiles(Path.Combine(TestData.Checkout, folder), "*.cs", SearchOption.AllDirectories)))
        {
            var source = File.ReadAllText(file);
            foreach (Match made in Instrument().Matches(source))
            {
                var instrument = made.Groups["text"] is { Success: true } text ? text.Value : names[made.Groups["name"].Value];
                var call = source[made.Index..source.IndexOf(";\n", made.Index, StringComparison.Ordinal)];
                var family = instrument.Replace('.', '_') + (call.Contains("\"s\"", StringComparison.Ordinal) ? "_seconds" : "");
                if (made.Groups["kind"].Value is "Counter") yield return family + "_total";
                else if (made.Groups["kind"].Value is "Histogram")
                    foreach (var part in (string[])["_bucket", "_count", "_sum"]) yield return family + part;
                else yield return family;
            }
        }
    }

    private static async Task<string> PromtoolAsync(string home, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/promtool", arguments) { WorkingDirectory = home, RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        process.ExitCode.ShouldBe(0, output + await error);
        return output;
    }

    [GeneratedRegex("Create(Observable)?(?<kind>Counter|Histogram|Gauge|UpDownCounter)(<[a-z]+>)?\\(\\s*(\"(?<text>[a-z.]+)\"|(?<name>Names\\.Metrics\\.[A-Za-z]+))", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Instrument();

    [GeneratedRegex("\\bfabrik_[a-z_]+\\b", RegexOptions.NonBacktracking)]
    private static partial Regex Metric();
}
