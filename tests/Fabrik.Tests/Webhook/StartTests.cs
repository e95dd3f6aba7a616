using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Serving;
using Fabrik.Webhook;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

namespace Fabrik.Tests.Webhook;

public class StartTests
{
    private static readonly ClusterConfig Cluster = new() { Server = new Uri("http://127.0.0.1:1") };

    [Fact]
    public void With_a_certificate_that_cannot_be_used_it_does_not_start_and_names_the_variable()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-webhook-").FullName;
        WebhookUnderTest.WriteCertificate(directory, "a");
        File.WriteAllText(Path.Combine(directory, "tls.key"), "no key");
        Should.Throw<CertificateException>(() => Start(directory)).Message.ShouldContain(Names.Variables.TlsDirectory);
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void Without_a_key_of_32_bytes_it_does_not_start_and_does_not_show_the_key()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-webhook-").FullName;
        WebhookUnderTest.WriteCertificate(directory, "a");
        WebhookUnderTest.WriteKeys(directory, "secret");
        var message = Should.Throw<WebhookException>(() => Start(directory)).Message;
        message.ShouldContain("32");
        message.ShouldContain(Names.Variables.AssignmentKeyFile);
        message.ShouldNotContain("secret");
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task A_certificate_and_keys_that_are_not_there_yet_are_waited_for_and_readiness_says_what_for()
    {
        await using var webhook = await WebhookUnderTest.StartAsync(plainPort: true, empty: true);
        using var client = WebhookUnderTest.Client();
        await webhook.UntilAsync(async () => (await Ready()).Body.StartsWith("not ready: waits for", StringComparison.Ordinal));
        var (status, body) = await Ready();
        status.ShouldBe(503);
        body.ShouldContain("assignment key");
        body.ShouldContain("tls.crt and tls.key");
        webhook.Log.Lines.Count(line => line.Contains("Waits for", StringComparison.Ordinal) && line.Contains(Names.Variables.AssignmentKeyFile, StringComparison.Ordinal)).ShouldBe(1);
        webhook.Log.Lines.ShouldContain(line => line.Contains("Waits for", StringComparison.Ordinal) && line.Contains(Names.Variables.TlsDirectory, StringComparison.Ordinal));

        webhook.WriteKeys("an assignment key that is long enough, surely");
        webhook.WriteTokenKeys("a token key that is long enough, and another");
        webhook.WriteCertificate("late");
        await webhook.UntilAsync(async () => (await Ready()).Status == 200);
        (await webhook.AddedAsync(client, Names.Annotations.Assignment)).ShouldNotBeNull();

        async Task<(int Status, string Body)> Ready()
        {
            using var answer = await client.GetAsync(new Uri(webhook.PlainUrl!, Names.Paths.Ready));
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("short")]
    [InlineData("this one is long enough to be a key, surely\nshort")]
    public void Key_files_without_good_keys_are_refused(string content) =>
        Should.Throw<FormatException>(() => AssignmentKeyFile.Parse(System.Text.Encoding.ASCII.GetBytes(content)));

    [Fact]
    public void A_binary_key_may_hold_any_byte()
    {
        var key = Enumerable.Range(0, 32).Select(i => (byte)i).ToArray();
        AssignmentKeyFile.Parse(key).ShouldNotBeNull();
    }

    [Fact]
    public void The_environment_becomes_options_and_a_bad_value_is_named()
    {
        var set = new Dictionary<string, string> { [Names.Variables.WebhookPort] = "8443", [Names.Variables.MetricsPort] = "9000", [Names.Variables.DrainSeconds] = "0", [Names.Variables.TlsDirectory] = "/tls" };
        var options = WebhookEnvironment.Read(name => set.GetValueOrDefault(name), () => Cluster);
        (options.Port, options.MetricsPort, options.DrainGrace, options.TlsDirectory).ShouldBe((8443, 9000, TimeSpan.Zero, "/tls"));
        set[Names.Variables.WebhookPort] = "many";
        Should.Throw<WebhookException>(() => WebhookEnvironment.Read(name => set.GetValueOrDefault(name), () => Cluster)).Message.ShouldContain(Names.Variables.WebhookPort);
    }

    [Fact]
    public void The_gate_is_the_image_that_the_environment_says_and_what_is_no_image_is_named()
    {
        WebhookEnvironment.Read(_ => null, () => Cluster).GateImage.ShouldBe(Names.Images.Gate);
        WebhookEnvironment.Read(name => name == Names.Variables.GateImage ? "mirror:5000/gate@sha256:12" : null, () => Cluster).GateImage.ShouldBe("mirror:5000/gate@sha256:12");
        foreach (var bad in (string[])["mirror/gate 1", "\"", new string('a', 513)])
            Should.Throw<WebhookException>(() => WebhookEnvironment.Read(name => name == Names.Variables.GateImage ? bad : null, () => Cluster)).Message.ShouldContain(Names.Variables.GateImage);
    }

    [Theory]
    [InlineData("gateway:8443")]
    [InlineData("/openai")]
    [InlineData("ftp://gateway")]
    [InlineData("https://gateway?x=1")]
    [InlineData("https://name:password@gateway")]
    public void An_address_of_the_gateway_that_cannot_be_used_is_named(string address)
    {
        var message = Should.Throw<WebhookException>(() => WebhookEnvironment.Read(name => name == Names.Variables.GatewayUrl ? address : null, () => Cluster)).Message;
        message.ShouldContain(Names.Variables.GatewayUrl);
        message.ShouldNotContain("password@");
    }

    [Fact]
    public void The_gateway_is_where_the_environment_says_and_nowhere_when_it_says_nothing()
    {
        var set = new Dictionary<string, string> { [Names.Variables.GatewayUrl] = "http://gateway:8080/llm", [Names.Variables.RunTokenKeyFile] = "/token" };
        var options = WebhookEnvironment.Read(name => set.GetValueOrDefault(name), () => Cluster);
        (options.GatewayUrl, options.RunTokenKeyFile).ShouldBe((new Uri("http://gateway:8080/llm"), "/token"));
        WebhookEnvironment.Read(_ => null, () => Cluster).GatewayUrl.ShouldBeNull();
    }

    [Fact]
    public void With_a_gateway_and_without_a_usable_key_for_it_it_does_not_start_and_names_the_variable()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-webhook-").FullName;
        WebhookUnderTest.WriteCertificate(directory, "a");
        WebhookUnderTest.WriteKeys(directory, "an assignment key that is long enough");
        File.WriteAllText(Path.Combine(directory, "tokens"), "secret");
        foreach (var file in (string?[])[null, "tokens"])
        {
            var message = Should.Throw<WebhookException>(() => Start(directory, new Uri("https://gateway"), file is null ? null : Path.Combine(directory, file))).Message;
            message.ShouldContain(Names.Variables.RunTokenKeyFile);
            message.ShouldNotContain("secret");
        }

        Directory.Delete(directory, recursive: true);
    }

    private static void Start(string directory, Uri? gateway = null, string? tokenKeys = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddFabrikWebhook(new WebhookOptions { Cluster = Cluster, TlsDirectory = directory, AssignmentKeyFile = Path.Combine(directory, "keys"), GatewayUrl = gateway, RunTokenKeyFile = tokenKeys, Port = 0, LoopbackOnly = true });
        builder.Build().MapFabrikWebhook();
    }
}
