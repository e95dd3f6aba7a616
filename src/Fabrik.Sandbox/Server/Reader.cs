using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Tables;

namespace Fabrik.Sandbox.Server;

/// <summary>Lists: which objects, of which version, in which form.</summary>
public sealed class Reader(Cluster cluster)
{
    private const string ContinueExpired =
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";

    /// <summary>One page as JSON bytes.</summary>
    public byte[] List(ResourceType type, string? ns, ListQuery query, AnswerForm form, IncludeObject include)
    {
        var (snapshot, after) = Snapshot(type, query);
        var page = new List<StoredObject>();
        var remaining = 0;
        foreach (var stored in snapshot.From(ns, after))
        {
            if (!query.Selects(stored)) continue;
            if (query.Limit == 0 || page.Count < query.Limit) page.Add(stored);
            else remaining++;
        }

        var metadata = new JsonObject { ["resourceVersion"] = snapshot.Version.ToString(CultureInfo.InvariantCulture) };
        if (remaining > 0)
        {
            metadata["continue"] = new ContinueToken(snapshot.Version, page[^1].Namespace, page[^1].Name).ToString();
            if (query.Labels.Requirements.Count == 0 && query.Fields.Terms.Count == 0) metadata["remainingItemCount"] = remaining;
        }
        else if (type.Custom is not null && form == AnswerForm.Json) metadata["continue"] = "";

        return form switch
        {
            AnswerForm.Table => ObjectJson.Serialize(Views.Table(type, page, metadata, cluster, include)),
            AnswerForm.Metadata => ObjectJson.Serialize(Views.MetadataList(type, page, metadata)),
            _ => Join(type, page, metadata),
        };
    }

    private (ResourceLog.Snapshot Snapshot, (string, string)? After) Snapshot(ResourceType type, ListQuery query)
    {
        var log = cluster.Store.Log(type);
        if (query.Continue.Length > 0)
        {
            var token = ContinueToken.Parse(query.Continue);
            return (log.At(token.Version) ?? throw ApiException.Expired(ContinueExpired), (token.Namespace, token.Name));
        }

        var now = log.Now();
        if (query.Version is not > 0) return (now, null);
        if (query.Version > now.Version) throw ApiException.TooNew(query.Version.Value, now.Version);
        var exact = query.ResourceVersionMatch == "Exact" || (query.ResourceVersionMatch.Length == 0 && query.Limit > 0);
        return exact ? (log.At(query.Version.Value) ?? throw ApiException.TooOld(query.Version.Value, log.Oldest), null) : (now, null);
    }

    // Built-in kinds go without kind and apiVersion in a list, custom resources with them.
    private static byte[] Join(ResourceType type, List<StoredObject> page, JsonObject metadata)
    {
        using var buffer = new MemoryStream(256 + page.Sum(stored => stored.Json.Length + 1));
        buffer.Write(Encoding.UTF8.GetBytes($$"""{"kind":"{{type.ListKind}}","apiVersion":"{{type.ApiVersion}}","metadata":"""));
        buffer.Write(ObjectJson.Serialize(metadata));
        buffer.Write(",\"items\":["u8);
        for (var i = 0; i < page.Count; i++)
        {
            if (i > 0) buffer.WriteByte((byte)',');
            var bytes = Views.Bytes(type, page[i]);
            if (type.Custom is not null) buffer.Write(bytes.Span);
            else
            {
                buffer.WriteByte((byte)'{');
                buffer.Write(bytes.Span[Views.KindLength(type)..]);
            }
        }

        buffer.Write("]}"u8);
        return buffer.ToArray();
    }
}
