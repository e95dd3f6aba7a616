using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

/// <summary>The includeObject parameter: what of each object a table's rows carry.</summary>
public enum IncludeObject { Metadata, Object, None }

/// <summary>Answers to <c>Accept: application/json;as=Table;g=meta.k8s.io;v=v1</c>.</summary>
public static class TablePrinter
{
    /// <exception cref="RequestException">400: no such value.</exception>
    public static IncludeObject Include(string? parameter) => parameter switch
    {
        null or "" or "Metadata" => IncludeObject.Metadata,
        "Object" => IncludeObject.Object,
        "None" => IncludeObject.None,
        _ => throw RequestException.BadRequest($"unrecognized includeObject value: {Text.Quote(parameter)}"),
    };

    /// <summary>A Table of built-in objects.</summary>
    /// <param name="items">The objects, one a row; not changed.</param>
    /// <param name="metadata">Of the list: resourceVersion, continue, remainingItemCount. Becomes part of the answer.</param>
    public static JsonObject Print(string group, string kind, IReadOnlyList<JsonObject> items, JsonObject metadata, DateTimeOffset now, IncludeObject include = IncludeObject.Metadata) =>
        Print(Columns.Of(group, kind), items, metadata, now, include);

    /// <summary>A Table of custom objects.</summary>
    /// <param name="printerColumns">The version's additionalPrinterColumns.</param>
    public static JsonObject PrintCustom(JsonArray? printerColumns, IReadOnlyList<JsonObject> items, JsonObject metadata, DateTimeOffset now, IncludeObject include = IncludeObject.Metadata) =>
        Print(Columns.Custom(printerColumns), items, metadata, now, include);

    private static JsonObject Print(Column[] columns, IReadOnlyList<JsonObject> items, JsonObject metadata, DateTimeOffset now, IncludeObject include) => new()
    {
        ["kind"] = "Table",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = metadata,
        ["columnDefinitions"] = new JsonArray([.. columns.Select(column => column.Definition)]),
        ["rows"] = new JsonArray([.. items.Select(item => Row(columns, item, now, include))]),
    };

    private static JsonObject Row(Column[] columns, JsonObject item, DateTimeOffset now, IncludeObject include)
    {
        var row = new JsonObject { ["cells"] = new JsonArray([.. columns.Select(column => column.Cell(item, now))]) };
        if (item["kind"].String() == "Pod" && Pods.RowConditions(item) is { } conditions) row["conditions"] = conditions;
        row["object"] = include switch
        {
            IncludeObject.Object => item.DeepClone(),
            IncludeObject.None => null,
            _ => new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = item["metadata"]?.DeepClone() },
        };
        return row;
    }
}
