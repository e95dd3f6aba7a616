using System.Text.Json;
using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Analysis;

/// <summary>Blocks of an experiment as a person or a program writes them down, to be judged without a cluster.</summary>
public sealed record EvidenceFile
{
    /// <summary>Bytes of a file.</summary>
    public const int MaximumSize = 32 * 1024 * 1024;

    private const int MaximumUnits = 1_000_000;

    /// <summary>Chance of treatment among the units, inside (0, 1).</summary>
    public double Rho { get; set; } = 0.1;

    /// <summary>Treated minus control that counts as a loss, above -1 and at most 0.</summary>
    public double Margin { get; set; } = -0.05;

    public Goal Goal { get; set; } = Goal.Win;

    public IReadOnlyList<EvidenceStratum> Strata { get; set; } = [];

    /// <exception cref="FormatException">The text is not such a file; the message says where and why.</exception>
    public static EvidenceFile Parse(ReadOnlySpan<byte> text)
    {
        if (text.Length > MaximumSize) throw new FormatException($"it has more than {MaximumSize} bytes");
        EvidenceFile file;
        try
        {
            file = JsonSerializer.Deserialize(text, EvidenceJson.Default.EvidenceFile) ?? throw new FormatException("it is null");
        }
        catch (JsonException error)
        {
            throw new FormatException($"line {error.LineNumber + 1}: {error.Path} is not what it should be, or the file is not JSON", error);
        }

        if (file.Problem() is { } problem) throw new FormatException(problem);
        return file;
    }

    /// <summary>The evidence after each block, in the order of the file, and what follows from all of it.</summary>
    public Evaluation Evaluate()
    {
        var (evidence, rows) = (new Evidence(), new List<EvaluatedBlock>());
        for (var stratum = 0; stratum < Strata.Count; stratum++)
        {
            foreach (var one in Strata[stratum].Blocks)
            {
                var block = new Block(one.YT, one.NT, one.YC, one.NC);
                evidence.Add(Strata[stratum].Name ?? $"{stratum}", block, block, Margin);
                rows.Add(new EvaluatedBlock(evidence.Win.Value, evidence.NonInferior.Value, evidence.Harm.Value));
            }
        }

        var ratio = SampleRatio.LogBayesFactor(evidence.Success.Treated, evidence.Success.Control, Rho);
        var verdict = Judgement.Of(evidence, Goal, new DecisionRules { Margin = Margin }, ratio >= Math.Log(SampleRatio.Limit) ? SampleRatio.Broken : null);
        return new Evaluation(rows, verdict.Decision, verdict.Reasons, verdict.Confidence);
    }

    private string? Problem()
    {
        if (!(Rho > 0 && Rho < 1)) return "rho must be above 0 and below 1";
        if (!(Margin > -1 && Margin <= 0)) return "margin must be above -1 and at most 0, such as -0.05";
        if (Strata is null || Strata.Count == 0) return "strata must have at least one entry";
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var stratum = 0; stratum < Strata.Count; stratum++)
        {
            if (Strata[stratum]?.Blocks is not { } blocks) return $"strata[{stratum}] must have blocks";
            if (Strata[stratum].Name is { } name && !names.Add(name)) return $"strata[{stratum}]: there is another stratum of the name {name}; blocks of one stratum stand together";
            for (var at = 0; at < blocks.Count; at++)
            {
                if (blocks[at] is not { } block || block.NT is < 0 or > MaximumUnits || block.NC is < 0 or > MaximumUnits || block.YT < 0 || block.YT > block.NT || block.YC < 0 || block.YC > block.NC)
                    return $"strata[{stratum}].blocks[{at}]: each y must be from 0 to its n, and each n at most {MaximumUnits}";
            }
        }

        return null;
    }
}

/// <param name="Name">Null stands for its place in the list.</param>
public sealed record EvidenceStratum(string? Name, [property: JsonRequired] IReadOnlyList<EvidenceBlock> Blocks);

/// <summary>Good outcomes (y) and units (n) of treated (T) and control (C).</summary>
public sealed record EvidenceBlock(
    [property: JsonPropertyName("yT"), JsonRequired] int YT,
    [property: JsonPropertyName("nT"), JsonRequired] int NT,
    [property: JsonPropertyName("yC"), JsonRequired] int YC,
    [property: JsonPropertyName("nC"), JsonRequired] int NC);

/// <summary>E-values as they stand after a block (not their greatest so far, by which is decided).</summary>
public sealed record EvaluatedBlock(
    [property: JsonPropertyName("eWin")] double Win,
    [property: JsonPropertyName("eNonInferior")] double NonInferior,
    [property: JsonPropertyName("eHarm")] double Harm);

public sealed record Evaluation(IReadOnlyList<EvaluatedBlock> Blocks, Decision Decision, IReadOnlyList<string> Reasons, double Confidence);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(EvidenceFile))]
[JsonSerializable(typeof(Evaluation))]
[JsonSerializable(typeof(Forecast))]
[JsonSerializable(typeof(ExperimentState))]
[JsonSerializable(typeof(Verdict))]
public sealed partial class EvidenceJson : JsonSerializerContext;
