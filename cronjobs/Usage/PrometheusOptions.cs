namespace Fabrik.CronJobs.Usage;

/// <summary>Which Prometheus, and how Fabrik proves to it who asks.</summary>
public sealed record PrometheusOptions
{
    /// <summary>A path in it stands before /api/v1.</summary>
    public required Uri Url { get; init; }
    public string? TokenFile { get; init; }
    public string? Username { get; init; }
    public string? PasswordFile { get; init; }

    /// <summary>PEM; null: the operating system's authorities count.</summary>
    public string? CaFile { get; init; }

    /// <summary>Between two samples of a container, as Prometheus has it by default; how long to wait for the last ones follows from it.</summary>
    public TimeSpan ScrapeInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <returns>Null where no Prometheus is named.</returns>
    /// <exception cref="CronJobsException">Variables that are wrong or contradict each other.</exception>
    public static PrometheusOptions? Read(Func<string, string?> variable)
    {
        var (token, user, password, authority) = (
            Value(Names.Variables.PrometheusTokenFile), Value(Names.Variables.PrometheusUsername), Value(Names.Variables.PrometheusPasswordFile), Value(Names.Variables.PrometheusCaFile));
        if (Value(Names.Variables.PrometheusUrl) is not { } url)
        {
            return token is null && user is null && password is null && authority is null
                ? null
                : throw new CronJobsException($"Credentials or an authority for Prometheus are given, but not its address: set {Names.Variables.PrometheusUrl}, or leave the others out");
        }

        // Not repeated in the message: a password may stand in it.
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            throw new CronJobsException($"{Names.Variables.PrometheusUrl} is not an address such as https://prometheus.monitoring:9090");
        if (address.UserInfo.Length > 0 || address.Query.Length > 0 || address.Fragment.Length > 0)
            throw new CronJobsException($"{Names.Variables.PrometheusUrl} must be an address alone. A name and password go into {Names.Variables.PrometheusUsername} and the file {Names.Variables.PrometheusPasswordFile}");
        if (token is not null && user is not null)
            throw new CronJobsException($"{Names.Variables.PrometheusTokenFile} and {Names.Variables.PrometheusUsername} are both set: leave one out");
        if (user is null != password is null)
            throw new CronJobsException($"{Names.Variables.PrometheusUsername} and {Names.Variables.PrometheusPasswordFile} go together: set both or none");
        return new PrometheusOptions { Url = address, TokenFile = token, Username = user, PasswordFile = password, CaFile = authority };

        string? Value(string name) => variable(name) is { Length: > 0 } value ? value : null;
    }
}
