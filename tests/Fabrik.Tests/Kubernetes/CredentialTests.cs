using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Kubernetes;

/// <summary>Who calls: token files that rotate, credential plugins (real processes), impersonation.</summary>
public sealed class CredentialTests : IAsyncLifetime
{
    private readonly string directory = Directory.CreateTempSubdirectory("credentials").FullName;
    private readonly TestClock clock = new();
    private FakeApiServer server = null!;

    public async ValueTask InitializeAsync() => server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, """{"kind":"Namespace","metadata":{"name":"n"}}"""));

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task A_token_file_is_read_again_as_it_changes()
    {
        var file = Write("token", "one\n");
        using var client = new KubernetesClient(server.Config with { TokenFile = file, Token = "fallback" }, clock);
        (await HeaderAsync(client)).ShouldBe("Bearer one");
        File.WriteAllText(file, "two");
        (await HeaderAsync(client)).ShouldBe("Bearer one");
        clock.Advance(TimeSpan.FromSeconds(11));
        (await HeaderAsync(client)).ShouldBe("Bearer two");
        File.Delete(file);
        clock.Advance(TimeSpan.FromSeconds(11));
        (await HeaderAsync(client)).ShouldBe("Bearer two");
    }

    [Fact]
    public async Task A_refused_token_is_read_again_at_once_and_the_request_repeated()
    {
        var file = Write("token", "old");
        server.Answer = context => context.Request.Headers.Authorization == "Bearer new"
            ? FakeApiServer.Reply(context, 200, """{"kind":"Namespace"}""")
            : FakeApiServer.Reply(context, 401, TestData.Text("status/401-bad-token.json"));
        using var client = new KubernetesClient(server.Config with { TokenFile = file }, clock);
        (await Should.ThrowAsync<KubernetesException>(() => HeaderAsync(client))).IsUnauthorized.ShouldBeTrue();
        File.WriteAllText(file, "new");
        (await HeaderAsync(client)).ShouldBe("Bearer new");
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("-----BEGIN CERTIFICATE-----\nMII", "something else than a token")]
    public async Task A_token_file_without_a_token_is_named_and_not_quoted(string content, string expected)
    {
        var file = Write("token", content);
        using var client = new KubernetesClient(server.Config with { TokenFile = file }, clock);
        var error = await Should.ThrowAsync<KubernetesException>(() => HeaderAsync(client));
        error.Reason.ShouldBe(KubernetesException.NoCredentials);
        error.Message.ShouldContain(expected);
        error.Message.ShouldContain(file);
        error.Message.ShouldNotContain("MII");
    }

    [Fact]
    public async Task Username_and_password_and_impersonation_become_headers()
    {
        var extra = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["example.com/Scopes"] = ["a"] };
        using var client = new KubernetesClient(server.Config with { Username = "me", Password = "x:y", Impersonate = new Impersonation("boss", "7", ["g1"], extra) }, clock);
        (await HeaderAsync(client)).ShouldBe("Basic bWU6eDp5");
        var headers = server.Requests.Last().Headers;
        headers["Impersonate-User"].ToString().ShouldBe("boss");
        headers["Impersonate-Uid"].ToString().ShouldBe("7");
        headers["Impersonate-Group"].ToString().ShouldBe("g1");
        headers["Impersonate-Extra-example.com%2FScopes"].ToString().ShouldBe("a");
    }

    [Fact]
    public void Several_groups_are_refused_rather_than_sent_as_one()
    {
        var many = new Impersonation("boss", null, ["g1", "g2"], new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal));
        Should.Throw<KubeconfigException>(() => new KubernetesClient(server.Config with { Impersonate = many }, clock)).Message.ShouldContain("several groups");
    }

    [Fact]
    public async Task A_plugin_is_told_the_cluster_and_asked_again_when_its_token_expires()
    {
        var plugin = Plugin($$"""
            echo "$KUBERNETES_EXEC_INFO" > {{directory}}/info
            echo "$1 $SETTING" >> {{directory}}/calls
            n=$(wc -l < {{directory}}/calls)
            echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t'$n'","expirationTimestamp":"'$(cat {{directory}}/expires)'"} }'
            """, "say") with
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["SETTING"] = "it" },
            ProvideClusterInfo = true,
            ClusterExtension = """{"audience":"a"}""",
        };
        Write("expires", clock.GetUtcNow().AddMinutes(10).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"));
        using var client = new KubernetesClient(server.Config with { Exec = plugin, TlsServerName = "other" }, clock);
        (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => HeaderAsync(client)))).ShouldAllBe(header => header == "Bearer t1");
        var info = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "info")))!;
        ((string?)info["apiVersion"]).ShouldBe("client.authentication.k8s.io/v1");
        ((bool)info["spec"]!["interactive"]!).ShouldBeFalse();
        ((string?)info["spec"]!["cluster"]!["server"]).ShouldBe(server.Url.ToString().TrimEnd('/'));
        ((string?)info["spec"]!["cluster"]!["tls-server-name"]).ShouldBe("other");
        ((string?)info["spec"]!["cluster"]!["config"]!["audience"]).ShouldBe("a");
        File.ReadAllText(Path.Combine(directory, "calls")).ShouldBe("say it\n");

        Write("expires", clock.GetUtcNow().AddMinutes(60).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"));
        clock.Advance(TimeSpan.FromMinutes(9));
        (await HeaderAsync(client)).ShouldBe("Bearer t1");
        clock.Advance(TimeSpan.FromMinutes(1));
        (await HeaderAsync(client)).ShouldBe("Bearer t2");
    }

    [Fact]
    public async Task A_plugin_whose_token_is_refused_is_asked_once_more()
    {
        server.Answer = context => context.Request.Headers.Authorization == "Bearer t2"
            ? FakeApiServer.Reply(context, 200, """{"kind":"Namespace"}""")
            : FakeApiServer.Reply(context, 401, "Unauthorized");
        using var client = new KubernetesClient(server.Config with { Exec = Plugin($$"""
            echo x >> {{directory}}/calls
            echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t'$(wc -l < {{directory}}/calls)'"} }'
            """) }, clock);
        (await HeaderAsync(client)).ShouldBe("Bearer t2");
        (await HeaderAsync(client)).ShouldBe("Bearer t2");
        File.ReadAllLines(Path.Combine(directory, "calls")).Length.ShouldBe(2);
    }

    public static TheoryData<string, string> Failures => new()
    {
        { "echo 'not logged in' >&2; exit 3", "exit code 3: not logged in" },
        { "exit 1", "it said nothing" },
        { "echo secret-text", "no ExecCredential" },
        { """echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"secret-text"}}'""", "asks for client.authentication.k8s.io/v1" },
        { """echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{}}'""", "neither a token nor a client certificate" },
        { """echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"clientCertificateData":"secret-text"}}'""", "only one of" },
        { "head -c 3000000 /dev/zero", "more than 1 MiB" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_plugin_that_fails_is_named_with_what_to_do(string script, string expected)
    {
        var plugin = Plugin(script);
        using var client = new KubernetesClient(server.Config with { Exec = plugin }, clock);
        var error = await Should.ThrowAsync<KubernetesException>(() => HeaderAsync(client));
        error.Reason.ShouldBe(KubernetesException.NoCredentials);
        error.Message.ShouldContain(expected);
        error.ToString().ShouldNotContain("secret-text");
    }

    [Theory]
    [InlineData("/no/such/plugin", "Get it with: apt install plugin", "Get it with: apt install plugin")]
    [InlineData("no-such-plugin-anywhere", null, "Install it")]
    public async Task A_plugin_that_is_not_installed_tells_how_to_install_it(string command, string? hint, string expected)
    {
        var plugin = Plugin("exit 0") with { Command = command, InstallHint = hint };
        using var client = new KubernetesClient(server.Config with { Exec = plugin }, clock);
        var message = (await Should.ThrowAsync<KubernetesException>(() => HeaderAsync(client))).Message;
        message.ShouldContain(command);
        message.ShouldContain(expected);
    }

    [Fact]
    public async Task A_plugin_that_hangs_is_ended_after_a_minute()
    {
        var plugin = Plugin($"echo $$ > {directory}/pid; sleep 600 & wait");
        using var client = new KubernetesClient(server.Config with { Exec = plugin }, clock) { Timeout = TimeSpan.FromHours(1) };
        var asking = HeaderAsync(client);
        for (var i = 0; !File.Exists(Path.Combine(directory, "pid")); i++)
        {
            i.ShouldBeLessThan(6000);
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        clock.Advance(TimeSpan.FromSeconds(61));
        (await Should.ThrowAsync<KubernetesException>(asking)).Message.ShouldContain("did not end in time");
    }

    [Fact]
    public async Task The_time_a_plugin_takes_is_not_the_time_of_the_request()
    {
        var plugin = Plugin($"echo x > {directory}/began; while [ ! -e {directory}/go ]; do sleep 0.02; done; echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{{\"token\":\"t\"}}}}'");
        using var client = new KubernetesClient(server.Config with { Exec = plugin }, clock) { Timeout = TimeSpan.FromSeconds(5) };
        var asking = HeaderAsync(client);
        for (var i = 0; !File.Exists(Path.Combine(directory, "began")); i++)
        {
            i.ShouldBeLessThan(6000);
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        clock.Advance(TimeSpan.FromSeconds(50));
        Write("go", "");
        (await asking).ShouldBe("Bearer t");
    }

    private ExecPlugin Plugin(string script, params string[] arguments) => new()
    {
        Command = "sh",
        Arguments = [Write($"plugin-{Guid.NewGuid():n}.sh", script + "\n"), .. arguments],
        ApiVersion = "client.authentication.k8s.io/v1",
        InteractiveMode = "Never",
    };

    private async Task<string> HeaderAsync(KubernetesClient client)
    {
        await client.GetAsync(Kinds.Namespace, null, "n", default);
        return server.Requests.Last().Headers.Authorization.ToString();
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(directory, name);
        File.WriteAllText(path, text);
        return path;
    }
}
