using System.Text;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Tests.Kubernetes;

public sealed class KubeconfigTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("kubeconfig").FullName;

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private const string Plain = """
        apiVersion: v1
        kind: Config
        current-context: here
        clusters:
        - name: c
          cluster: {server: "https://10.0.0.1:6443/base"}
        users:
        - name: u
          user: {token: secret}
        contexts:
        - name: here
          context: {cluster: c, user: u, namespace: team}
        - name: there
          context: {cluster: c}
        """;

    [Fact]
    public void The_current_context_counts_unless_another_is_named()
    {
        var config = ClusterConfig.FromKubeconfig(Write("config", Plain));
        config.Server.ShouldBe(new Uri("https://10.0.0.1:6443/base"));
        config.Namespace.ShouldBe("team");
        config.Token.ShouldBe("secret");
        ClusterConfig.FromKubeconfig(Path.Combine(directory, "config"), "there").ShouldSatisfyAllConditions(
            there => there.Namespace.ShouldBe("default"),
            there => there.Token.ShouldBeNull());
        config.ToString().ShouldNotContain("secret");
    }

    [Fact]
    public void Json_is_as_good_as_yaml_also_with_tabs()
    {
        var config = ClusterConfig.FromKubeconfig(Write("config.json", """
            {"current-context":"x",
            	"clusters":[{"name":"c","cluster":{"server":"https://h","insecure-skip-tls-verify":true}}],
            	"contexts":[{"name":"x","context":{"cluster":"c","user":""}}],"users":null}
            """));
        config.InsecureSkipTlsVerify.ShouldBeTrue();
        config.Server.Host.ShouldBe("h");
    }

    [Fact]
    public void Every_field_arrives()
    {
        var pem = Convert.ToBase64String(Encoding.UTF8.GetBytes("PEM"));
        var config = ClusterConfig.FromKubeconfig(Write("config", """
            current-context: x
            clusters:
            - name: c
              cluster:
                server: https://h:1
                certificate-authority-data: PEMBASE64
                certificate-authority: ignored.crt
                tls-server-name: other
                proxy-url: socks5://127.0.0.1:1080
                extensions:
                - name: client.authentication.k8s.io/exec
                  extension: [audience, "a"]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            users:
            - name: u
              user:
                client-certificate: client.crt
                client-key-data: PEMBASE64
                tokenFile: ../token
                username: me
                password: "123"
                as: boss
                as-uid: u-1
                as-groups: [g1, g2]
                as-user-extra: {scopes: [a, b]}
                exec:
                  apiVersion: client.authentication.k8s.io/v1
                  command: ./bin/login
                  args: [--for, kubectl]
                  env: [{name: A, value: "1"}, {name: B, value: "2"}]
                  provideClusterInfo: true
                  interactiveMode: Never
                  installHint: get it
            """.Replace("PEMBASE64", pem)));
        config.CertificateAuthority.ShouldBe("PEM");
        config.CertificateAuthorityFile.ShouldBeNull();
        config.TlsServerName.ShouldBe("other");
        config.ProxyUrl.ShouldBe(new Uri("socks5://127.0.0.1:1080"));
        config.ClientCertificateFile.ShouldBe(Path.Combine(directory, "client.crt"));
        config.ClientKey.ShouldBe("PEM");
        config.TokenFile.ShouldBe(Path.GetFullPath(Path.Combine(directory, "..", "token")));
        (config.Username, config.Password).ShouldBe(("me", "123"));
        config.Impersonate!.User.ShouldBe("boss");
        config.Impersonate.Uid.ShouldBe("u-1");
        config.Impersonate.Groups.ShouldBe(["g1", "g2"]);
        config.Impersonate.Extra["scopes"].ShouldBe(["a", "b"]);
        config.Exec!.Command.ShouldBe(Path.Combine(directory, "bin", "login"));
        config.Exec.Arguments.ShouldBe(["--for", "kubectl"]);
        config.Exec.Environment["B"].ShouldBe("2");
        config.Exec.ProvideClusterInfo.ShouldBeTrue();
        config.Exec.InteractiveMode.ShouldBe("Never");
        config.Exec.InstallHint.ShouldBe("get it");
        config.Exec.ClusterExtension.ShouldBe("""["audience","a"]""");
    }

    [Fact]
    public void Of_several_files_the_first_counts_and_paths_are_relative_to_their_own()
    {
        var one = Write("one/config", """
            current-context: ""
            clusters: [{name: c, cluster: {server: "https://one", certificate-authority: ca.crt}}]
            """);
        var two = Write("two/config", """
            current-context: x
            clusters: [{name: c, cluster: {server: "https://two"}}, {name: d, cluster: {server: "https://two-d"}}]
            contexts: [{name: x, context: {cluster: c, user: u}}, {name: y, context: {cluster: d, user: u}}]
            users: [{name: u, user: {tokenFile: token}}]
            """);
        var merged = Kubeconfig.Load([Path.Combine(directory, "absent"), one, two]);
        var x = merged.Resolve(null);
        x.Server.Host.ShouldBe("one");
        x.CertificateAuthorityFile.ShouldBe(Path.Combine(directory, "one", "ca.crt"));
        x.TokenFile.ShouldBe(Path.Combine(directory, "two", "token"));
        merged.Resolve("y").Server.Host.ShouldBe("two-d");
    }

    public static TheoryData<string, string, string[]> Wrong => new()
    {
        { "no current context", Plain.Replace("current-context: here", ""), ["no current-context", "here, there"] },
        { "an unknown context", Plain.Replace("current-context: here", "current-context: gone"), ["\"gone\"", "here, there"] },
        { "an unknown cluster", Plain.Replace("name: c\n", "name: d\n"), ["Cluster \"c\"", "context \"here\"", "There: d"] },
        { "an unknown user", Plain.Replace("name: u\n", "name: v\n"), ["User \"u\"", "There: v"] },
        { "no server", Plain.Replace("server:", "sever:"), ["has no server"] },
        { "a server that is no address", Plain.Replace("https://10.0.0.1:6443/base", "ftp://x"), ["ftp://x", "https://HOST:PORT"] },
        { "data that is not base64", Plain.Replace("token: secret", "client-certificate-data: '%%', client-key: k"), ["client-certificate-data", "base64"] },
        { "a certificate without key", Plain.Replace("token: secret", "client-certificate: c"), ["without its key"] },
        { "a key without certificate", Plain.Replace("token: secret", "client-key: c"), ["without its certificate"] },
        { "an authority that is not used", Plain.Replace("\"https://10.0.0.1:6443/base\"", "https://h, insecure-skip-tls-verify: true, certificate-authority: ca"), ["Keep one"] },
        { "a flag that is none", Plain.Replace("\"https://10.0.0.1:6443/base\"", "https://h, insecure-skip-tls-verify: maybe"), ["maybe", "true or false"] },
        { "a proxy that is none", Plain.Replace("\"https://10.0.0.1:6443/base\"", "https://h, proxy-url: 'gopher://x'"), ["proxy-url"] },
        { "a removed provider", Plain.Replace("token: secret", "auth-provider: {name: gcp}"), ["auth-provider", "exec"] },
        { "an old plugin version", Plain.Replace("token: secret", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}"), ["v1alpha1", "v1beta1"] },
        { "a plugin without command", Plain.Replace("token: secret", "exec: {apiVersion: client.authentication.k8s.io/v1}"), ["no command"] },
        { "an unknown interactive mode", Plain.Replace("token: secret", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Perhaps}"), ["Perhaps"] },
        { "groups without a user", Plain.Replace("token: secret", "as-groups: [g]"), ["Add as:"] },
        { "broken YAML", "clusters: [", ["neither valid YAML nor JSON", "line"] },
        { "something else", "- just\n- a list", ["not a kubeconfig"] },
        { "nothing", "", ["no current-context"] },
        { "an alias bomb", "a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]", ["too deep or too large"] },
        { "a well of brackets", new string('[', 5000), [""] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void It_says_what_is_wrong_and_where_when_there_is(string what, string text, string[] expected)
    {
        var path = Write("config", text);
        var message = Should.Throw<KubeconfigException>(() => ClusterConfig.FromKubeconfig(path), what).Message;
        foreach (var part in expected) message.ShouldContain(part);
        if (expected[0].Length > 0) message.ShouldContain(path);
        message.ShouldNotContain("secret");
    }

    [Fact]
    public void A_file_that_is_not_there_is_named()
    {
        Should.Throw<KubeconfigException>(() => ClusterConfig.FromKubeconfig(Path.Combine(directory, "none"))).Message.ShouldContain(Path.Combine(directory, "none"));
        Should.Throw<KubeconfigException>(() => Kubeconfig.Load([Path.Combine(directory, "none")])).Message.ShouldContain("--kubeconfig");
    }

    [Fact]
    public void A_file_far_too_large_is_not_read()
    {
        var path = Path.Combine(directory, "huge");
        using (var file = File.Create(path)) file.SetLength(1L << 33);
        Should.Throw<KubeconfigException>(() => ClusterConfig.FromKubeconfig(path)).Message.ShouldContain("larger than");
    }

    [Fact]
    public void In_a_Pod_the_mounted_ServiceAccount_counts()
    {
        Write("sa/token", "t");
        Write("sa/ca.crt", "PEM");
        Write("sa/namespace", "fabrik-system\n");
        var mount = Path.Combine(directory, "sa");
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal) { ["KUBERNETES_SERVICE_HOST"] = "fd00::1", ["KUBERNETES_SERVICE_PORT"] = "6443" };
        ServiceAccountMount.Exists(mount, variables.GetValueOrDefault).ShouldBeTrue();
        var config = ServiceAccountMount.Read(mount, variables.GetValueOrDefault);
        config.Server.ShouldBe(new Uri("https://[fd00::1]:6443"));
        config.Namespace.ShouldBe("fabrik-system");
        config.TokenFile.ShouldBe(Path.Combine(mount, "token"));
        config.CertificateAuthorityFile.ShouldBe(Path.Combine(mount, "ca.crt"));

        Should.Throw<KubeconfigException>(() => ServiceAccountMount.Read(mount, _ => null)).Message.ShouldContain("KUBERNETES_SERVICE_HOST");
        File.Delete(Path.Combine(mount, "token"));
        Should.Throw<KubeconfigException>(() => ServiceAccountMount.Read(mount, variables.GetValueOrDefault)).Message.ShouldContain("automountServiceAccountToken");
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(directory, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }
}
