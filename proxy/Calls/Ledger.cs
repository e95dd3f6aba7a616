using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Failover;
using Fabrik.Gateway.Prices;
using Fabrik.Gateway.Wire;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Spool;

namespace Fabrik.Proxy.Calls;

/// <summary>Begins and settles attempts: prices them, and writes both to the spool.</summary>
internal sealed class Ledger(UsageSpool spool, PriceFile prices, BudgetBook budgets, ProxyMetrics metrics, ProxyOptions options)
{
    /// <returns>Null where the spool has no room: nothing may be asked that cannot be accounted for.</returns>
    public Attempt? Begin(Call call, Target target)
    {
        var now = options.Clock.GetUtcNow();
        var book = prices.Current;
        var row = new UsageEvent
        {
            Id = CallIds.New(now),
            OperationId = call.OperationId,
            StartedAt = now,
            RunId = call.Caller.Run?.RunId,
            KeyId = call.Caller.Key?.Id,
            Namespace = call.Caller.Run?.Namespace,
            Project = call.Caller.Project,
            Arm = call.Caller.Run?.Arm,
            Change = call.Caller.Run?.Change,
            Operation = call.Operation,
            Streamed = call.Facts!.Stream,
            Provider = target.Provider,
            ProviderKey = target.Key,
            RequestedModel = call.Facts.Model,
            SentModel = call.SentModel,
            Currency = book.Currency,
            PriceVersion = book.Version,

            // What stands if nobody lives to settle it.
            Outcome = AttemptOutcome.Lost,
            Estimated = true,
            Tokens = call.Operation == Operation.Other ? default : new TokenCounts(Estimates.Tokens(call.BodyBytes), 0, 0, 0, 0, 0, 0),
        };
        Price(row);
        return spool.Intend(row) is { } ticket ? new Attempt(this, ticket, row, call, options.Clock) : null;
    }

    /// <param name="parts">Where several models are billed: each one's; else empty.</param>
    public void Settle(SpoolTicket ticket, UsageEvent row, Call call, IReadOnlyList<(string? Model, TokenCounts Tokens)> parts)
    {
        if (parts.Count > 0) Price(row, parts);
        else if (row.Tokens.All > 0) Price(row);
        // Before it can be sent: the ledger's word that it knows must find it in the book.
        if (call.Reservation is { } reservation) budgets.Spend(reservation, Charge.Of(row));
        spool.Settle(ticket, row);
        metrics.Settled(row, call.Format);
    }

    /// <summary>What a call can take at most: its bytes are more than its tokens.</summary>
    public Charge Most(RequestFacts facts, string model, int bytes)
    {
        var price = prices.Current.Of(null, model);
        return new Charge(ModelPriceBook.MostMicros(price, bytes, facts.MaxOutput), bytes + ModelPriceBook.MostOutputOf(price, facts.MaxOutput));
    }

    /// <summary>Each part by its own model: the row has their sum.</summary>
    private void Price(UsageEvent row, IReadOnlyList<(string? Model, TokenCounts Tokens)> parts)
    {
        (row.PriceUnknown, row.CostMicros) = (false, 0);
        foreach (var (model, tokens) in parts)
        {
            var (isUnknown, micros) = Priced(row, model ?? row.ServedModel, tokens);
            (row.PriceUnknown, row.CostMicros) = (row.PriceUnknown | isUnknown, row.CostMicros + micros);
        }
    }

    private void Price(UsageEvent row) => (row.PriceUnknown, row.CostMicros) = Priced(row, row.ServedModel, row.Tokens);

    /// <summary>By the model that answered, else the one that was asked.</summary>
    private (bool IsUnknown, long Micros) Priced(UsageEvent row, string? served, in TokenCounts tokens)
    {
        var price = prices.Current.Of(served, row.SentModel);
        return (price.IsUnknown, ModelPriceBook.MicrosOf(price, tokens, row.ServiceTier));
    }
}
