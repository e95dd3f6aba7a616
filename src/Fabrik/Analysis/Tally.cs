using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>Good outcomes and units of each arm.</summary>
public sealed record Tally(long TreatedGood = 0, long Treated = 0, long ControlGood = 0, long Control = 0)
{
    [JsonIgnore]
    public double TreatedRate => Treated == 0 ? double.NaN : (double)TreatedGood / Treated;

    [JsonIgnore]
    public double ControlRate => Control == 0 ? double.NaN : (double)ControlGood / Control;

    public Tally With(Block block) => new(TreatedGood + block.TreatedGood, Treated + block.Treated, ControlGood + block.ControlGood, Control + block.Control);
}
