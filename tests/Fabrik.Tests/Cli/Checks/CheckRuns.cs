using System.Text.Json;
using Fabrik.Cli;
using Fabrik.Cli.Output;

namespace Fabrik.Tests.Cli.Checks;

/// <summary>What a run of <c>fabrik check -o json</c> has found.</summary>
internal sealed record CheckRun(int Code, string Error, IReadOnlyDictionary<string, (string Status, string? Detail, string? Next)> Checks)
{
    /// <summary>In the order of their ids.</summary>
    public IEnumerable<string> With(string status) => Checks.Where(check => check.Value.Status == status).Select(check => check.Key).Order(StringComparer.Ordinal);

    public static async Task<CheckRun> Of(string kubeconfig, string[] arguments, TimeProvider? clock = null)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await FabrikCommand.RunAsync(
            ["check", "-o", "json", "--kubeconfig", kubeconfig, .. arguments], new Terminal(output, error) { Variable = _ => null }, clock ?? TimeProvider.System, TestContext.Current.CancellationToken);
        using var json = JsonDocument.Parse(output.ToString());
        return new CheckRun(code, error.ToString(), json.RootElement.GetProperty("checks").EnumerateArray().ToDictionary(
            check => check.GetProperty("id").GetString()!, check => (check.GetProperty("status").GetString()!, Text(check, "detail"), Text(check, "next")), StringComparer.Ordinal));
    }

    private static string? Text(JsonElement check, string name) => check.TryGetProperty(name, out var value) ? value.GetString() : null;
}

/// <summary>The machine's clock, set wrong.</summary>
internal sealed class WrongClock(TimeSpan ahead) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
}
