using System.Globalization;
using Fabrik.Gateway;

namespace Fabrik.Proxy.Forwarding;

/// <summary>What a call cost, in the headers of its answer.</summary>
internal static class Costs
{
    public static void Tell(HttpResponseMessage answer, UsageEvent row)
    {
        answer.Headers.TryAddWithoutValidation(Names.Headers.Cost, string.Create(CultureInfo.InvariantCulture, $"{row.CostMicros / 1_000_000m:0.000000} {row.Currency}"));
        answer.Headers.TryAddWithoutValidation(Names.Headers.InputTokens, row.Tokens.AllInput.ToString(CultureInfo.InvariantCulture));
        answer.Headers.TryAddWithoutValidation(Names.Headers.OutputTokens, row.Tokens.Output.ToString(CultureInfo.InvariantCulture));
    }
}
