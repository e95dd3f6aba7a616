namespace Fabrik.Kubernetes;

public enum WatchEventType
{
    Added,
    Modified,
    Deleted,
}

/// <summary>One change. Previous is what was known before: null for Added; for Deleted, Object is the last state the server told.</summary>
public sealed record WatchEvent(WatchEventType Type, KubeObject Object, KubeObject? Previous);
