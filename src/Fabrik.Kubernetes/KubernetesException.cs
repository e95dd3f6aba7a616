using System.Collections.Immutable;

namespace Fabrik.Kubernetes;

/// <summary>A request that the API server refused (Code is the HTTP status), or that never got an answer (Code is 0).</summary>
public sealed class KubernetesException : Exception
{
    public KubernetesException(string message) : base(message)
    {
    }

    public KubernetesException(string message, Exception? inner) : base(message, inner)
    {
    }

    public KubernetesException() : this("The Kubernetes API failed")
    {
    }

    /// <summary>HTTP status, or 0 when no answer came.</summary>
    public int Code { get; init; }

    /// <summary>The server's word (NotFound, Conflict, AlreadyExists, Invalid, Expired, ...) or one of <see cref="Unreachable"/>, <see cref="TimedOut"/>, <see cref="NotKubernetes"/>, <see cref="NoCredentials"/>.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The server's own sentence, without what this client adds.</summary>
    public string StatusMessage { get; init; } = "";

    public ImmutableArray<Cause> Causes { get; init; } = [];

    /// <summary>How long the server asks to wait.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public bool IsNotFound => Code == 404;
    public bool IsAlreadyExists => Code == 409 && Reason == "AlreadyExists";
    public bool IsConflict => Code == 409 && Reason != "AlreadyExists";
    public bool IsInvalid => Code == 422;
    public bool IsForbidden => Code == 403;
    public bool IsUnauthorized => Code == 401;

    /// <summary>A resource version or a continue token is too old: list again.</summary>
    public bool IsExpired => Code == 410 || Reason is "Expired" or "Gone";

    /// <summary>Trying again later may help; whether the request took effect is not known when Code is 0.</summary>
    public bool IsTransient => Code is 0 or 408 or 429 or >= 500;

    /// <summary>Reason when no connection was made or it broke.</summary>
    public const string Unreachable = nameof(Unreachable);

    /// <summary>Reason when the server took too long.</summary>
    public const string TimedOut = nameof(TimedOut);

    /// <summary>Reason when something answered that is not a Kubernetes API.</summary>
    public const string NotKubernetes = nameof(NotKubernetes);

    /// <summary>Reason when there are no usable credentials to call with.</summary>
    public const string NoCredentials = nameof(NoCredentials);

    /// <summary>On 410 of a paged list: continues at the newest state, after the last object delivered.</summary>
    internal string? Continue { get; init; }

    internal bool ResourceVersionTooLarge => Code == 504 && (Causes.Any(cause => cause.Reason == "ResourceVersionTooLarge") || StatusMessage.StartsWith("Too large resource version", StringComparison.Ordinal));

    /// <summary>One of the things wrong with the object; Field is a path such as spec.template.spec.restartPolicy.</summary>
    public sealed record Cause(string Reason, string Message, string Field);
}
