using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Proxy;

/// <summary>The official OpenAI and Anthropic packages for Node, unmodified but for their environment.</summary>
public sealed class SdkTests : IAsyncLifetime
{
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync();

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task The_official_clients_work_streamed_and_not_and_every_call_is_in_the_ledger()
    {
        var directory = Path.Combine(TestData.Checkout, "tests", "sdk");
        var modules = Path.Combine(directory, "node_modules", "@anthropic-ai", "sdk");
        if (!Directory.Exists(modules))
        {
            var (installed, why) = await RunAsync("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], directory, []);
            Assert.SkipUnless(installed, $"the packages are not to be had: {why}; install Node.js with npm, and run npm ci in tests/sdk");
        }

        var token = GatewayBench.Token();
        var (ran, said) = await RunAsync("node", ["calls.mjs"], directory, new Dictionary<string, string>
        {
            [Names.ClientVariables.OpenAiKey] = token,
            [Names.ClientVariables.OpenAiUrl] = new Uri(bench.Gateway, "/openai/v1").AbsoluteUri,
            [Names.ClientVariables.AnthropicKey] = token,
            [Names.ClientVariables.AnthropicUrl] = new Uri(bench.Gateway, "/anthropic").AbsoluteUri,
        });
        ran.ShouldBeTrue(said);
        var words = string.Concat(Enumerable.Range(1, 20).Select(number => $"word{number} ")).Length;
        using var json = JsonDocument.Parse(said);
        JsonSerializer.Serialize(json.RootElement).ShouldBe($$"""{"chat":[{{words}},20],"chatStream":[{{words}},0],"chatStreamWithUsage":20,"responses":[{{words}},20],"responsesStream":20,"embeddings":[0.25,-0.5],"messages":[{{words}},20],"messagesStream":[{{words}},20],"countTokens":3,"files":403}""");

        var rows = await bench.LedgerAsync(8);
        rows.Count.ShouldBe(8);
        rows.ShouldAllBe(row => row.Outcome == AttemptOutcome.Completed && !row.Estimated && row.RunId == "run-1" && row.CostMicros >= 0);
        rows.Where(row => row.Operation != Operation.Embeddings).ShouldAllBe(row => row.Tokens.Output == 20);
    }

    private static async Task<(bool Ok, string Said)> RunAsync(string program, string[] arguments, string directory, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromMinutes(3));
        try
        {
            using var process = Process.Start(start)!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
            await process.WaitForExitAsync(patience.Token);
            return process.ExitCode == 0 ? (true, await output) : (false, await output + await error);
        }
        catch (Win32Exception e)
        {
            return (false, e.Message);
        }
    }
}
