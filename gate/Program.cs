using System.Globalization;

namespace Fabrik.Gate;

public static class Program
{
    public static async Task<int> Main() => await RunAsync(Environment.GetEnvironmentVariable, Console.Out, Console.Error, TimeProvider.System, CancellationToken.None);

    /// <returns>0 where the address is denied; 1 where it is not, or is not known: then the Pod must not start.</returns>
    public static async Task<int> RunAsync(Func<string, string?> variable, TextWriter output, TextWriter errors, TimeProvider clock, CancellationToken ct)
    {
        var (host, text) = (variable(Names.Variables.KubernetesServiceHost), variable(Names.Variables.KubernetesServicePort));
        if (string.IsNullOrEmpty(host) || !ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            await errors.WriteLineAsync($"fabrik gate: {Names.Variables.KubernetesServiceHost} and {Names.Variables.KubernetesServicePort} do not say where the API server is, so nothing can be tried and this run does not start. Kubernetes sets both in every Pod; take them out of the Job's environment");
            return 1;
        }

        var wait = await new DeniedAddress(host, port, clock).WaitAsync(ct);
        var seconds = wait.Took.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        if (wait.IsDenied)
        {
            await output.WriteLineAsync($"fabrik gate: {host}:{port} is denied after {seconds} s and {wait.Answered} answers; the run may start");
            return 0;
        }

        await errors.WriteLineAsync($"fabrik gate: {host}:{port}, which runs must not reach, still answers after {seconds} s: the network policies of this namespace are not enforced, so this run does not start. Next: fabrik check, and see that the cluster's network plug-in enforces NetworkPolicies");
        return 1;
    }
}
