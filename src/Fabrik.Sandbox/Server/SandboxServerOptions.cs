using Fabrik.Sandbox.Access;

namespace Fabrik.Sandbox.Server;

/// <summary>How a sandbox server is started. It keeps everything in memory; with the process all objects are gone.</summary>
public sealed record SandboxServerOptions
{
    /// <summary>Port on 127.0.0.1; 0 takes any free one.</summary>
    public int Port { get; init; }

    /// <summary>Timestamps and the minute between bookmarks. Tokens and the time-outs of requests and webhooks follow the wall clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Changes per resource that watches and continued lists can go back; older ones answer 410.</summary>
    public int EventWindow { get; init; } = 10_000;

    /// <summary>Where a webhook's service reference leads: "namespace/name:port" to the base address that stands for it.</summary>
    public IReadOnlyDictionary<string, Uri> Services { get; init; } = new Dictionary<string, Uri>();

    /// <summary>Not null: the UIDs of admission reviews, which arms are drawn by, follow from it and the names of the objects; else they are random.</summary>
    public string? Seed { get; init; }

    /// <summary>The bearer token of the administrator; null makes a random one.</summary>
    public string? AdminToken { get; init; }

    /// <summary>Told of every request: the user's name, what was asked to be allowed, and whether it was. Null: nobody.</summary>
    public Action<string, AccessQuestion, bool>? Asked { get; init; }
}
