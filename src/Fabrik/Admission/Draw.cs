using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>What was drawn for a Job.</summary>
internal sealed class Draw
{
    public required string Unit { get; init; }
    public required string Namespace { get; init; }
    public required string RunId { get; init; }
    public required int Bucket { get; init; }
    public Arm Arm { get; set; } = Arm.None;
    public CompiledChange? Change { get; set; }
    public List<CompiledChange> Experiments { get; } = [];
    public List<CompiledChange> Applied { get; } = [];
    public string? Skipped { get; set; }
}

internal static class Arms
{
    public static ReadOnlySpan<byte> Utf8(Arm arm) => arm switch
    {
        Arm.Treatment => "treatment"u8,
        Arm.Control => "control"u8,
        Arm.Holdout => "holdout"u8,
        Arm.Applied => "applied"u8,
        Arm.None => "none"u8,
        _ => "unassigned"u8,
    };
}
