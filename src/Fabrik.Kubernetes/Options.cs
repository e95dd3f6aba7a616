namespace Fabrik.Kubernetes;

public sealed record ListOptions
{
    public string? LabelSelector { get; init; }
    public string? FieldSelector { get; init; }

    /// <summary>Objects asked for at a time.</summary>
    public int PageSize { get; init; } = 500;
}

public sealed record WriteOptions
{
    /// <summary>Everything is checked and answered, nothing is stored.</summary>
    public bool DryRun { get; init; }

    /// <summary>Who owns the written fields; an apply without one is made by "fabrik".</summary>
    public string? FieldManager { get; init; }

    /// <summary>Ignore, Warn or Strict; null leaves it to the server (Warn).</summary>
    public string? FieldValidation { get; init; }

    /// <summary>Apply only: take over fields that others own.</summary>
    public bool Force { get; init; }

    /// <summary>status, scale, token, ...</summary>
    public string? Subresource { get; init; }

    /// <summary>Create only: the object whose subresource is created (a ServiceAccount's token).</summary>
    public string? Name { get; init; }
}

public sealed record DeleteOptions
{
    public int? GracePeriodSeconds { get; init; }

    /// <summary>Orphan, Background or Foreground; null leaves it to the server.</summary>
    public string? PropagationPolicy { get; init; }

    public Preconditions? Preconditions { get; init; }

    public bool DryRun { get; init; }
}

/// <summary>What the object must still be for the deletion to happen; else a conflict.</summary>
public sealed record Preconditions(string? Uid = null, string? ResourceVersion = null);

public enum PatchType
{
    /// <summary>RFC 6902: a list of operations.</summary>
    Json,

    /// <summary>RFC 7386.</summary>
    Merge,

    /// <summary>Merges lists by their keys; built-in kinds only.</summary>
    Strategic,

    /// <summary>Server-side apply: the fields this manager wants, whole.</summary>
    Apply,
}
