using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>Rules of names, labels and annotations.</summary>
internal static partial class MetaRules
{
    private const int NameLimit = 253;
    private const int LabelLimit = 63;
    private const int AnnotationsLimit = 256 * 1024;

    private const string NotLabel = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
        + "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    private const string NotSubdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
        + "character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    private const string NotLabelValue = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        + "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    private const string NotQualified = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    public static void Object(JsonObject obj, List<FieldError> errors)
    {
        if (obj["metadata"] is not JsonObject meta) return;
        var name = meta["name"].String() ?? "";
        if (name.Length == 0) errors.Add(FieldError.Required("metadata.name", "name or generateName is required"));
        else Name(obj, name, errors);
        Labels(Defaults.Group(obj) == "batch" ? WithoutGenerated(meta["labels"]) : meta["labels"], "metadata.labels", errors);
        Annotations(meta["annotations"], "metadata.annotations", errors);
        var at = 0;
        foreach (var owner in meta["ownerReferences"].Objects())
        {
            foreach (var field in (ReadOnlySpan<string>)["apiVersion", "kind", "name", "uid"])
            {
                if (owner[field].String() is null or "") errors.Add(FieldError.Invalid($"metadata.ownerReferences[{at}].{field}", "", field == "apiVersion" ? "version must not be empty" : "must not be empty"));
            }

            at++;
        }

        if (meta["ownerReferences"].Objects().Count(owner => owner["controller"].Bool() == true) > 1)
        {
            errors.Add(FieldError.Invalid("metadata.ownerReferences", meta["ownerReferences"], "Only one reference can have Controller set to true"));
        }
    }

    // Those that the server itself gives a Job are judged once, in its template.
    private static JsonObject WithoutGenerated(JsonNode? labels) => new((labels as JsonObject ?? [])
        .Where(label => label.Key is not (Names.Labels.JobName or Names.Labels.OldJobName or Names.Labels.ControllerUid or Names.Labels.OldControllerUid))
        .Select(label => KeyValuePair.Create(label.Key, label.Value?.DeepClone())));

    public static void Labels(JsonNode? labels, string field, List<FieldError> errors)
    {
        foreach (var (key, node) in labels as JsonObject ?? [])
        {
            if (QualifiedNameError(key) is { } wrong) errors.Add(FieldError.Invalid(field, key, wrong));
            var value = node.String() ?? "";
            if (value.Length > LabelLimit) errors.Add(FieldError.Invalid(field, value, $"must be no more than {LabelLimit} bytes"));
            else if (!LabelValue().IsMatch(value)) errors.Add(FieldError.Invalid(field, value, NotLabelValue));
        }
    }

    public static void Annotations(JsonNode? annotations, string field, List<FieldError> errors)
    {
        var size = 0L;
        foreach (var (key, value) in annotations as JsonObject ?? [])
        {
            if (QualifiedNameError(key.ToLowerInvariant()) is { } wrong) errors.Add(FieldError.Invalid(field, key, wrong));
            size += key.Length + (value.String()?.Length ?? 0);
        }

        if (size > AnnotationsLimit) errors.Add(FieldError.TooLong(field, AnnotationsLimit));
    }

    public static string? LabelError(string name) => name.Length > LabelLimit ? $"must be no more than {LabelLimit} bytes" : DnsLabel().IsMatch(name) ? null : NotLabel;

    public static string? SubdomainError(string name) => name.Length > NameLimit ? $"must be no more than {NameLimit} bytes" : DnsSubdomain().IsMatch(name) ? null : NotSubdomain;

    public static string? QualifiedNameError(string key)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        if (slash == 0) return "prefix part must be non-empty";
        if (slash > 0 && SubdomainError(key[..slash]) is { } wrong) return "prefix part " + wrong;
        var name = key[(slash + 1)..];
        if (name.Length == 0) return "name part must be non-empty";
        return name.Length > LabelLimit ? $"name part must be no more than {LabelLimit} bytes" : QualifiedName().IsMatch(name) ? null : NotQualified;
    }

    public static void Selector(JsonNode? selector, string field, List<FieldError> errors)
    {
        Labels(selector?["matchLabels"], field + ".matchLabels", errors);
        var at = 0;
        foreach (var expression in selector?["matchExpressions"].Objects() ?? [])
        {
            var path = $"{field}.matchExpressions[{at++}]";
            var operation = expression["operator"].String() ?? "";
            var values = (expression["values"] as JsonArray)?.Count ?? 0;
            if (operation is "In" or "NotIn" && values == 0) errors.Add(FieldError.Required(path + ".values", "must be specified when `operator` is 'In' or 'NotIn'"));
            else if (operation is "Exists" or "DoesNotExist" && values > 0) errors.Add(FieldError.Forbidden(path + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
            else if (operation is not ("In" or "NotIn" or "Exists" or "DoesNotExist")) errors.Add(FieldError.Invalid(path + ".operator", operation, "not a valid selector operator"));
            if (QualifiedNameError(expression["key"].String() ?? "") is { } wrong) errors.Add(FieldError.Invalid(path + ".key", expression["key"].String() ?? "", wrong));
        }
    }

    private static void Name(JsonObject obj, string name, List<FieldError> errors)
    {
        var group = Defaults.Group(obj);
        var wrong = (group, obj["kind"].String()) switch
        {
            ("", "Namespace" or "Service") => name.Contains('.', StringComparison.Ordinal) ? "must not contain dots" : LabelError(name),
            ("rbac.authorization.k8s.io", _) => name is "." or ".." ? $"may not be '{name}'" : name.Contains('/', StringComparison.Ordinal) ? "may not contain '/'" : name.Contains('%', StringComparison.Ordinal) ? "may not contain '%'" : null,
            _ => SubdomainError(name),
        };
        if (wrong is not null) errors.Add(FieldError.Invalid("metadata.name", name, wrong));
        if (group == "batch" && obj["kind"].String() == "CronJob" && name.Length > 52) errors.Add(FieldError.Invalid("metadata.name", name, "must be no more than 52 characters"));
    }

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex DnsLabel();

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex DnsSubdomain();

    [GeneratedRegex("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex LabelValue();

    [GeneratedRegex("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex QualifiedName();
}
