using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

public enum AnswerForm
{
    Json,
    Table,
    Metadata,
}

/// <summary>In which form the client wants its answer. Bytes are always JSON.</summary>
public static class Negotiation
{
    public static AnswerForm Form(HttpRequest request)
    {
        var accept = request.Headers.Accept.ToString();
        if (accept.Length == 0) return AnswerForm.Json;
        foreach (var clause in accept.Split(','))
        {
            var parts = clause.Split(';', StringSplitOptions.TrimEntries);
            if (parts[0] is not ("application/json" or "*/*" or "application/*" or "application/yaml")) continue;
            var form = parts.FirstOrDefault(part => part.StartsWith("as=", StringComparison.Ordinal))?[3..];
            if (form is not null && !parts.Contains("g=meta.k8s.io")) continue;
            switch (form)
            {
                case null when parts[0] != "application/yaml": return AnswerForm.Json;
                case "Table" when parts.Contains("v=v1"): return AnswerForm.Table;
                case "PartialObjectMetadata" or "PartialObjectMetadataList" when parts.Contains("v=v1"): return AnswerForm.Metadata;
            }
        }

        throw ApiException.NotAcceptable();
    }

    /// <summary>Whether aggregated discovery is asked for before the plain form.</summary>
    public static bool WantsAggregated(HttpRequest request)
    {
        foreach (var clause in request.Headers.Accept.ToString().Split(','))
        {
            if (clause.Contains("as=APIGroupDiscoveryList", StringComparison.Ordinal) && clause.Contains("v=v2", StringComparison.Ordinal) && !clause.Contains("v2beta1", StringComparison.Ordinal)) return true;
            if (clause.Trim() is "application/json" or "*/*") return false;
        }

        return false;
    }
}
