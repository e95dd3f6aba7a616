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
    public void Without_a_certificate_it_does_not_start_and_names_the_variable()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-webhook-").FullName;
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
    public void With_a_gateway_and_without_its_key_it_does_not_start_and_names_the_variable()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-webhook-").FullName;
        WebhookUnderTest.WriteCertificate(directory, "a");
        WebhookUnderTest.WriteKeys(directory, "an assignment key that is long enough");
        File.WriteAllText(Path.Combine(directory, "tokens"), "secret");
        foreach (var file in (string?[])[null, "missing", "tokens"])
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
