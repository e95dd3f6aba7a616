namespace Fabrik.Sandbox.Store;

public enum StoreEventType
{
    Added,
    Modified,
    Deleted,
}

/// <summary>One change. For a deletion <see cref="Object"/> is the last state under the number of the deletion.</summary>
public sealed record StoreEvent(StoreEventType Type, StoredObject Object, StoredObject? Previous);
