namespace Fabrik.Gateway;

/// <summary>Attempts of the ledger taken together.</summary>
public sealed record CallTotal
{
    /// <summary>What they have in common where they were grouped; null for those that have nothing there, and for all together.</summary>
    public string? Key { get; set; }

    /// <summary>Calls, however often each was attempted. One whose attempts are in several groups counts in each, so groups may add up to more than there are.</summary>
    public required long Calls { get; set; }

    /// <summary>Attempts at providers; as many more than calls as failed over.</summary>
    public required long Attempts { get; set; }
    public required TokenCounts Tokens { get; set; }

    /// <summary>One for each currency, by its name.</summary>
    public required IReadOnlyList<CallCost> Costs { get; set; }

    /// <summary>Whether tokens of any attempt are the gateway's estimate.</summary>
    public bool Estimated { get; set; }

    /// <summary>Whether any attempt has the price for models that the price book does not know.</summary>
    public bool PriceUnknown { get; set; }

    /// <summary>The same for each model as it was asked of the provider, the dearest first and not more than <see cref="MostModels"/>; null where that was not asked for.</summary>
    public IReadOnlyList<CallTotal>? Models { get; set; }

    /// <summary>
    /// Of a model: what clients named where that was another, by an alias or a change of the model; by name, and no more than <see cref="MostModels"/>. Null where they
    /// named this one alone, and once their attempts are forgotten.
    /// </summary>
    public IReadOnlyList<string>? NamedAs { get; set; }

    /// <summary>A Job may name as many models as it likes.</summary>
    public const int MostModels = 100;
}

/// <param name="Currency">ISO 4217.</param>
/// <param name="Micros">Millionths of it.</param>
public sealed record CallCost(string Currency, long Micros);
