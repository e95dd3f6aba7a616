using Fabrik.Kubernetes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Kubernetes;

/// <summary>Real TLS handshakes: which servers are trusted, and which client certificate they see.</summary>
public sealed class TrustTests
{
    private readonly TestAuthority authority = new("cluster-ca");

    [Fact]
    public async Task A_server_of_the_cluster_authority_under_its_own_name_is_trusted()
    {
        await using var server = await ServeAsync("127.0.0.1");
        await ShouldTrustAsync(server.Config with { CertificateAuthority = authority.Pem });
        await ShouldTrustAsync(server.Config with { CertificateAuthority = new TestAuthority("older").Pem + "\n" + authority.Pem });
        await ShouldTrustAsync(server.Config with { InsecureSkipTlsVerify = true });
    }

    [Fact]
    public async Task A_server_of_another_authority_is_refused_with_the_reason()
    {
        await using var server = await ServeAsync("127.0.0.1");
        await ShouldRefuseAsync(server.Config with { CertificateAuthority = new TestAuthority("another-ca").Pem }, "not issued by the cluster's certificate authority");
        await ShouldRefuseAsync(server.Config with { CertificateAuthority = new TestAuthority("cluster-ca").Pem }, "signature");
        await ShouldRefuseAsync(server.Config, "certificate-authority-data");
        await ShouldRefuseAsync(server.Config with { CertificateAuthority = "no PEM" }, "no PEM certificate");
        await ShouldRefuseAsync(server.Config with { CertificateAuthorityFile = "/no/such/ca.crt" }, "/no/such");
    }

    [Fact]
    public async Task The_name_counts_also_when_the_authority_is_right()
    {
        await using var server = await ServeAsync("kubernetes.default.svc");
        await ShouldRefuseAsync(server.Config with { CertificateAuthority = authority.Pem }, "is for kubernetes.default.svc, not for 127.0.0.1");
        await ShouldTrustAsync(server.Config with { CertificateAuthority = authority.Pem, TlsServerName = "kubernetes.default.svc" });
        await ShouldRefuseAsync(server.Config with { CertificateAuthority = authority.Pem, TlsServerName = "other" }, "not for other");
    }

    [Fact]
    public async Task An_expired_certificate_is_refused()
    {
        await using var expired = await FakeApiServer.StartAsync(Good, authority.Issue("s", fromDays: -1, toHours: -1, dns: "127.0.0.1").Certificate);
        await ShouldRefuseAsync(expired.Config with { CertificateAuthority = authority.Pem }, "expired");
    }

    [Fact]
    public async Task An_intermediate_authority_can_be_the_trusted_one()
    {
        var root = new TestAuthority("root");
        var between = new TestAuthority("between", root);
        await using var server = await FakeApiServer.StartAsync(Good, between.Issue("s", dns: "127.0.0.1").Certificate);
        await ShouldTrustAsync(server.Config with { CertificateAuthority = between.Pem });
        await ShouldRefuseAsync(server.Config with { CertificateAuthority = root.Pem }, "not issued");
    }

    [Fact]
    public async Task An_authority_file_is_read_again_when_it_changes()
    {
        var directory = Directory.CreateTempSubdirectory("trust").FullName;
        var file = Path.Combine(directory, "ca.crt");
        File.WriteAllText(file, new TestAuthority("old").Pem);
        File.SetLastWriteTimeUtc(file, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await using var server = await ServeAsync("127.0.0.1");
        using var client = new KubernetesClient(server.Config with { CertificateAuthorityFile = file }, TimeProvider.System);
        await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Kinds.Namespace, null, "n", default));
        File.WriteAllText(file, authority.Pem);
        await client.GetAsync(Kinds.Namespace, null, "n", default);
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task The_client_certificate_is_shown_from_data_from_files_and_from_a_plugin()
    {
        await using var server = await FakeApiServer.StartAsync(Good, authority.Issue("s", dns: "127.0.0.1").Certificate, askForCertificate: true);
        var me = authority.Issue("me", forServer: false);
        var trusted = server.Config with { CertificateAuthority = authority.Pem };
        (await SeenAsync(trusted with { ClientCertificate = me.Pem, ClientKey = me.Key })).ShouldBe("CN=me");

        var directory = Directory.CreateTempSubdirectory("trust").FullName;
        var (certificate, key) = (Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key"));
        File.WriteAllText(certificate, me.Pem);
        File.WriteAllText(key, me.Key);
        var clock = new TestClock();
        using var client = new KubernetesClient(trusted with { ClientCertificateFile = certificate, ClientKeyFile = key }, clock);
        await client.GetAsync(Kinds.Namespace, null, "n", default);
        server.Requests.Last().Certificate!.Subject.ShouldBe("CN=me");

        // Renewed files make new connections.
        var renewed = authority.Issue("renewed", forServer: false);
        File.WriteAllText(certificate, renewed.Pem);
        File.WriteAllText(key, renewed.Key);
        clock.Advance(TimeSpan.FromSeconds(11));
        await client.GetAsync(Kinds.Namespace, null, "n", default);
        server.Requests.Last().Certificate!.Subject.ShouldBe("CN=renewed");

        var printed = Path.Combine(directory, "printed.json");
        File.WriteAllText(printed, new System.Text.Json.Nodes.JsonObject
        {
            ["apiVersion"] = "client.authentication.k8s.io/v1beta1",
            ["status"] = new System.Text.Json.Nodes.JsonObject { ["clientCertificateData"] = me.Pem, ["clientKeyData"] = me.Key },
        }.ToJsonString());
        (await SeenAsync(trusted with { Exec = new ExecPlugin { Command = "cat", Arguments = [printed], ApiVersion = "client.authentication.k8s.io/v1beta1", InteractiveMode = "Never" } })).ShouldBe("CN=me");
        Directory.Delete(directory, recursive: true);

        async Task<string?> SeenAsync(ClusterConfig config)
        {
            await ShouldTrustAsync(config);
            return server.Requests.Last().Certificate?.Subject;
        }
    }

    [Fact]
    public async Task A_key_that_does_not_belong_to_the_certificate_is_said()
    {
        await using var server = await ServeAsync("127.0.0.1");
        var error = await ShouldFailAsync(server.Config with { CertificateAuthority = authority.Pem, ClientCertificate = authority.Issue("a").Pem, ClientKey = authority.Issue("b").Key });
        error.Reason.ShouldBe(KubernetesException.NoCredentials);
        error.Message.ShouldContain("belong together");
    }

    private static readonly Microsoft.AspNetCore.Http.RequestDelegate Good = context => FakeApiServer.Reply(context, 200, """{"kind":"Namespace","metadata":{"name":"n"}}""");

    private Task<FakeApiServer> ServeAsync(string name) => FakeApiServer.StartAsync(Good, authority.Issue("server", dns: name).Certificate);

    private static async Task ShouldTrustAsync(ClusterConfig config)
    {
        using var client = new KubernetesClient(config, TimeProvider.System);
        (await client.GetAsync(Kinds.Namespace, null, "n", default)).Name.ShouldBe("n");
    }

    private static async Task ShouldRefuseAsync(ClusterConfig config, string why)
    {
        var error = await ShouldFailAsync(config);
        error.Reason.ShouldBe(KubernetesException.Unreachable);
        error.Message.ShouldContain(why);
        error.Message.ShouldContain("get namespaces n");
    }

    private static async Task<KubernetesException> ShouldFailAsync(ClusterConfig config)
    {
        using var client = new KubernetesClient(config, TimeProvider.System);
        return await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Kinds.Namespace, null, "n", default));
    }
}
