using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>The admission.k8s.io/v1 request that a webhook is sent, field for field as the real server writes it.</summary>
public static class AdmissionReviewWriter
{
    /// <param name="uid">Random for every call.</param>
    public static byte[] Write(AdmissionRequest request, string uid)
    {
        var type = request.Type;
        using var buffer = new MemoryStream(4096);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("kind", "AdmissionReview");
            writer.WriteString("apiVersion", "admission.k8s.io/v1");
            writer.WriteStartObject("request");
            writer.WriteString("uid", uid);
            foreach (var (kind, resource, sub) in (ReadOnlySpan<(string, string, string)>)[("kind", "resource", "subResource"), ("requestKind", "requestResource", "requestSubResource")])
            {
                writer.WriteStartObject(kind);
                writer.WriteString("group", type.Group);
                writer.WriteString("version", type.Version);
                writer.WriteString("kind", type.Kind);
                writer.WriteEndObject();
                writer.WriteStartObject(resource);
                writer.WriteString("group", type.Group);
                writer.WriteString("version", type.Version);
                writer.WriteString("resource", type.Plural);
                writer.WriteEndObject();
                if (request.Subresource.Length > 0) writer.WriteString(sub, request.Subresource);
            }

            if (request.Name.Length > 0) writer.WriteString("name", request.Name);
            if (request.Namespace is { Length: > 0 } ns) writer.WriteString("namespace", ns);
            writer.WriteString("operation", request.Operation);
            writer.WritePropertyName("userInfo");
            Reviews.UserInfo(request.Context.Caller).WriteTo(writer, ObjectJson.Options);
            writer.WritePropertyName("object");
            if (request.Object is { } content) writer.WriteRawValue(ObjectJson.Serialize(content, type.Kind, type.ApiVersion), skipInputValidation: true);
            else writer.WriteNullValue();
            writer.WritePropertyName("oldObject");
            if (request.Old is { } old) writer.WriteRawValue(Views.Bytes(type, old).Span, skipInputValidation: true);
            else writer.WriteNullValue();
            writer.WriteBoolean("dryRun", request.Context.DryRun);
            writer.WritePropertyName("options");
            Options(request).WriteTo(writer, ObjectJson.Options);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    // A patch is shown as the update or creation that it amounts to.
    private static JsonObject Options(AdmissionRequest request)
    {
        var options = new JsonObject
        {
            ["kind"] = request.Operation switch { "CREATE" => "CreateOptions", "DELETE" => "DeleteOptions", _ => "UpdateOptions" },
            ["apiVersion"] = "meta.k8s.io/v1",
        };
        foreach (var (name, value) in request.DeleteOptions ?? [])
        {
            if (name is not ("kind" or "apiVersion")) options[name] = value?.DeepClone();
        }

        var context = request.Context;
        if (context.DryRun) options["dryRun"] = new JsonArray("All");
        if (request.Operation == "DELETE") return options;
        if (context.FieldManagerGiven) options["fieldManager"] = context.FieldManager;
        if (context.FieldValidation.Length > 0) options["fieldValidation"] = context.FieldValidation;
        return options;
    }
}
