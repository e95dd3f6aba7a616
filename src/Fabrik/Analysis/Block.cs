using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>
/// Consecutive Jobs of one stratum in the order of their creation, counted by arm: how many were treated, how many of those had the good
/// outcome, and the same of the controls.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct Block(int TreatedGood, int Treated, int ControlGood, int Control)
{
    /// <summary>With good and bad exchanged.</summary>
    [JsonIgnore]
    public Block Flipped => new(Treated - TreatedGood, Treated, Control - ControlGood, Control);

    /// <summary>Units of a block at a share of treated units, inside (0, 1): as many as have one unit of the rarer arm on average, at least 4.</summary>
    public static int Size(double share) => Math.Max(4, (int)Math.Ceiling((1 / Math.Min(share, 1 - share)) - 1e-9));
}
