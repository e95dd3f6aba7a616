namespace Fabrik.Proxy.Spool;

/// <summary>What a record in the spool says of an attempt.</summary>
internal enum RecordKind : byte
{
    /// <summary>It is about to be made.</summary>
    Intent = 1,

    /// <summary>It is over: what it cost is known, exactly or by estimate.</summary>
    Settlement = 2,
}
