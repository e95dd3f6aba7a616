using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;
using Fabrik.Schedules;

namespace Fabrik.Sandbox.Validation;

/// <summary>Rules of Jobs and CronJobs.</summary>
internal static class JobRules
{
    private const string Immutable = "field is immutable";

    public static void Job(JsonObject job, List<FieldError> errors)
    {
        if (job["spec"] is not JsonObject spec) return;
        Selector(job, spec, errors);
        Spec(spec, "spec", errors);
    }

    public static void CronJob(JsonObject cronJob, List<FieldError> errors)
    {
        if (cronJob["spec"] is not JsonObject spec) return;
        var schedule = spec["schedule"].String() ?? "";
        errors.AddRange(CronJobSchedule.Problems(schedule, spec["timeZone"].String()).Select(problem => new FieldError(
            problem.Message.StartsWith("Required", StringComparison.Ordinal) ? "FieldValueRequired" : "FieldValueInvalid",
            problem.Message,
            problem.Field)));
        PodRules.NotNegative(spec, "startingDeadlineSeconds", "spec", errors);
        PodRules.OneOf(spec, "concurrencyPolicy", "spec", errors, "Allow", "Forbid", "Replace");
        PodRules.NotNegative(spec, "successfulJobsHistoryLimit", "spec", errors);
        PodRules.NotNegative(spec, "failedJobsHistoryLimit", "spec", errors);
        if (spec.At("jobTemplate", "spec") is not JsonObject job) return;
        Spec(job, "spec.jobTemplate.spec", errors);
        if (job["selector"] is not null) errors.Add(FieldError.Invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated"));
        if (job["manualSelector"].Bool() == true) errors.Add(new FieldError("FieldValueNotSupported", "Unsupported value: true: supported values: \"nil\", \"false\"", "spec.jobTemplate.spec.manualSelector"));
    }

    /// <summary>
    /// What of a Job may not change. A suspended Job without active Pods may have its scheduling directives and its containers' resources changed.
    /// </summary>
    public static void JobUpdate(JsonObject job, JsonObject old, List<FieldError> errors)
    {
        if (job["spec"] is not JsonObject spec || old["spec"] is not JsonObject before) return;
        Spec(spec, "spec", errors);
        if (!Same(spec, before, "completions") && !(spec["completionMode"].String() == "Indexed" && JsonNode.DeepEquals(spec["completions"], spec["parallelism"]) && JsonNode.DeepEquals(before["completions"], before["parallelism"])))
        {
            Changed("completions");
        }

        if (!Same(spec, before, "selector")) Changed("selector");
        var open = before["suspend"].Bool() == true && (old.At("status", "active").Long() ?? 0) == 0;
        if (!JsonNode.DeepEquals(Frozen(spec["template"], open), Frozen(before["template"], open))) Changed("template");
        foreach (var name in (ReadOnlySpan<string>)["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"])
        {
            if (!Same(spec, before, name)) Changed(name);
        }

        void Changed(string name) => errors.Add(FieldError.Invalid("spec." + name, spec[name], Immutable));
    }

    private static bool Same(JsonObject one, JsonObject other, string name) => JsonNode.DeepEquals(one[name], other[name]);

    /// <summary>A template without what may change while the Job is suspended.</summary>
    private static JsonNode? Frozen(JsonNode? template, bool open)
    {
        if (!open || template?.DeepClone() is not JsonObject copy) return template;
        (copy["metadata"] as JsonObject)?.Remove("labels");
        (copy["metadata"] as JsonObject)?.Remove("annotations");
        if (copy["spec"] is not JsonObject spec) return copy;
        foreach (var name in (ReadOnlySpan<string>)["nodeSelector", "tolerations", "schedulingGates"]) spec.Remove(name);
        (spec["affinity"] as JsonObject)?.Remove("nodeAffinity");
        if (spec["affinity"] is JsonObject { Count: 0 }) spec.Remove("affinity");
        foreach (var container in spec["containers"].Objects().Concat(spec["initContainers"].Objects()))
        {
            if (container["resources"] is not JsonObject resources) continue;
            resources.Remove("requests");
            resources.Remove("limits");
        }

        return copy;
    }

    private static void Selector(JsonObject job, JsonObject spec, List<FieldError> errors)
    {
        if (spec["selector"] is not JsonObject selector)
        {
            errors.Add(FieldError.Required("spec.selector"));
            errors.Add(FieldError.Invalid("spec.template.metadata.labels", spec.At("template", "metadata", "labels"), "`selector` does not match template `labels`"));
            return;
        }

        MetaRules.Selector(selector, "spec.selector", errors);
        if (spec["manualSelector"].Bool() != true && !OnlyOwn(selector, job.At("metadata", "uid").String()))
        {
            errors.Add(FieldError.Invalid("spec.selector", selector, "`selector` not auto-generated"));
        }

        var labels = spec.At("template", "metadata", "labels") as JsonObject;
        if (selector["matchLabels"] is JsonObject wanted && wanted.Any(label => labels?[label.Key].String() != label.Value.String()))
        {
            errors.Add(FieldError.Invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
        }
    }

    private static bool OnlyOwn(JsonObject selector, string? uid) =>
        selector["matchExpressions"] is null && selector["matchLabels"] is JsonObject { Count: 1 } labels && labels[Names.Labels.ControllerUid].String() == uid;

    private static void Spec(JsonObject spec, string field, List<FieldError> errors)
    {
        foreach (var name in (ReadOnlySpan<string>)["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex"])
        {
            PodRules.NotNegative(spec, name, field, errors);
        }

        PodRules.OneOf(spec, "completionMode", field, errors, "NonIndexed", "Indexed");
        if (spec["completionMode"].String() == "Indexed")
        {
            if (spec["completions"] is null) errors.Add(FieldError.Required(field + ".completions", "when completion mode is Indexed"));
            if (spec["parallelism"].Long() > 100_000) errors.Add(FieldError.Invalid(field + ".parallelism", spec["parallelism"], "must be less than or equal to 100000 when completion mode is Indexed"));
        }
        else if (spec["backoffLimitPerIndex"] is not null)
        {
            errors.Add(FieldError.Invalid(field + ".backoffLimitPerIndex", spec["backoffLimitPerIndex"], "requires indexed completion mode"));
        }

        PodRules.OneOf(spec, "podReplacementPolicy", field, errors, spec["podFailurePolicy"] is null ? ["Failed", "TerminatingOrFailed"] : ["Failed"]);
        FailurePolicy(spec, field, errors);
        if (spec["template"] is not JsonObject template) return;
        PodRules.Template(template, field + ".template", errors);
        var policy = template.At("spec", "restartPolicy").String();
        if (policy is not ("OnFailure" or "Never" or "Always"))
        {
            PodRules.OneOf(template["spec"] as JsonObject ?? [], "restartPolicy", field + ".template.spec", errors, "OnFailure", "Never");
        }
        else if (policy == "Always")
        {
            errors.Add(FieldError.Required(field + ".template.spec.restartPolicy", "valid values: \"OnFailure\", \"Never\""));
        }
        else if (policy != "Never" && spec["podFailurePolicy"] is not null)
        {
            errors.Add(FieldError.Invalid(field + ".template.spec.restartPolicy", policy, "only \"Never\" is supported when podFailurePolicy is specified"));
        }
    }

    private static void FailurePolicy(JsonObject spec, string field, List<FieldError> errors)
    {
        var at = 0;
        foreach (var rule in spec.At("podFailurePolicy", "rules").Objects())
        {
            var path = $"{field}.podFailurePolicy.rules[{at++}]";
            if (rule["action"].String() is null or "") errors.Add(FieldError.Required(path + ".action", "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]"));
            else PodRules.OneOf(rule, "action", path, errors, "Count", "FailIndex", "FailJob", "Ignore");
            if (rule["onExitCodes"] is not JsonObject codes)
            {
                if (rule["onPodConditions"] is not JsonArray { Count: > 0 }) errors.Add(FieldError.Invalid(path, "specifying one of OnExitCodes and OnPodConditions is required"));
                continue;
            }

            PodRules.OneOf(codes, "operator", path + ".onExitCodes", errors, "In", "NotIn");
            if (codes["values"] is not JsonArray { Count: > 0 }) errors.Add(FieldError.Invalid(path + ".onExitCodes.values", codes["values"] ?? new JsonArray(), "at least one value is required"));
        }
    }
}
