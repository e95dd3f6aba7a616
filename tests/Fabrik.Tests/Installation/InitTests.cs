using System.Text.Json.Nodes;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Installation;

[Collection(InstallationCollection.Name)]
public sealed class InitTests
{
    [Fact]
    public async Task Without_a_terminal_it_takes_flags_and_defaults_and_does_not_write_over_a_file()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        var path = Path.Combine(cluster.Home, "fabrik.yaml");

        (await cluster.FabrikAsync("init", "--file", path, "--opt-in", "ci", "--profile", "dev", "--certificates", "own")).Code.ShouldBe(0);
        var again = await cluster.FabrikAsync("init", "--file", path);

        var settings = InstallSettings.Parse(Manifest.Read(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))[0]);
        settings.Profile.ShouldBe("dev");
        settings.Namespaces.ShouldBe(["ci"]);
        settings.ProviderKeys.ShouldBeEmpty();
        settings.Monitoring.ShouldBeFalse();
        settings.Certificates.ShouldBe("own");
        again.Code.ShouldBe(1);
        again.Error.ShouldContain("FAB-1118");
    }

    [Fact]
    public async Task At_a_terminal_it_asks_and_an_empty_answer_is_the_default()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        var (path, asked) = (Path.Combine(cluster.Home, "fabrik.yaml"), new List<string>());
        var terminal = new global::Fabrik.Cli.Output.Terminal(TextWriter.Null, TextWriter.Null)
        {
            Variable = name => name == Names.ClientVariables.OpenAiKey ? "sk-secret" : null,
            Ask = question =>
            {
                asked.Add(question);
                return question.StartsWith("Namespaces", StringComparison.Ordinal) ? "ci, batch" : "";
            },
        };

        (await global::Fabrik.Cli.FabrikCommand.RunAsync(["init", "--file", path, "--kubeconfig", cluster.Kubeconfig], terminal, TimeProvider.System, TestContext.Current.CancellationToken)).ShouldBe(0);

        var text = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        var settings = InstallSettings.Parse(Manifest.Read(text)[0]);
        asked.Count.ShouldBeGreaterThanOrEqualTo(4);
        settings.Namespaces.ShouldBe(["ci", "batch"]);
        settings.ProviderKeys["openai"].ShouldBe(new KeySource(Names.ClientVariables.OpenAiKey, null));
        settings.ProviderKeys.Keys.ShouldBe(["openai"]);
        text.ShouldNotContain("sk-secret");
    }

    [Theory]
    [InlineData("profile: large", "dev, prod")]
    [InlineData("colour: red", "colour is not known")]
    [InlineData("monitoring: maybe", "true or false")]
    [InlineData("certificates: vault", "auto, own, cert-manager")]
    [InlineData("namespaces: ci", "a list of names")]
    [InlineData("providerKeys: { openai: sk-123 }", "env or file")]
    [InlineData("providerKeys: { openai: { env: A, file: b } }", "never the key itself")]
    [InlineData("providerKeys: { \"../x\": { env: A } }", "cannot be the name of a key")]
    public void A_file_that_cannot_be_used_says_why(string yaml, string why) =>
        Should.Throw<FormatException>(() => InstallSettings.Parse(Manifest.Read(yaml)[0] as JsonObject)).Message.ShouldContain(why);
}
