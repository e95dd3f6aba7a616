using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>The resources a change may set.</summary>
internal enum ResourceName
{
    Memory,
    Cpu,
    EphemeralStorage,
}

internal static class ResourceNames
{
    public const int Count = 3;

    public static ReadOnlySpan<byte> Utf8(ResourceName name) => name switch
    {
        ResourceName.Memory => "memory"u8,
        ResourceName.Cpu => "cpu"u8,
        _ => "ephemeral-storage"u8,
    };

    public static string Text(ResourceName name) => name switch
    {
        ResourceName.Memory => "memory",
        ResourceName.Cpu => "cpu",
        _ => "ephemeral-storage",
    };

    /// <summary>Computed amounts are rounded down to this: a byte, a thousandth of a core.</summary>
    public static Quantity Step(ResourceName name) => name == ResourceName.Cpu ? Quantity.FromMillis(1) : Quantity.FromUnits(1);
}
