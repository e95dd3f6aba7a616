using System.Text.Json.Nodes;

namespace Fabrik.Installation;

/// <summary>In which order objects come into a cluster. Each stage needs those before it, and only the last lets Fabrik touch a Job.</summary>
public enum InstallStage
{
    Namespaces,

    /// <summary>Custom resources; the next stage waits until they are served.</summary>
    Definitions,

    /// <summary>Permissions, configuration, Services, policies; Secrets are filled at its end.</summary>
    Settings,

    /// <summary>What cert-manager makes certificates from; the next stage waits until it has.</summary>
    Certificates,

    /// <summary>What starts Pods; the next stage waits until they are ready.</summary>
    Workloads,

    /// <summary>Webhook configurations: from here on Jobs are sent to Fabrik.</summary>
    Registration,
}

public static class InstallStages
{
    public static InstallStage Of(JsonObject item) => item["kind"]?.ToString() switch
    {
        "Namespace" => InstallStage.Namespaces,
        "CustomResourceDefinition" => InstallStage.Definitions,
        "Issuer" or "Certificate" => InstallStage.Certificates,
        "Deployment" or "StatefulSet" or "DaemonSet" or "HorizontalPodAutoscaler" or "PodDisruptionBudget" => InstallStage.Workloads,
        "MutatingWebhookConfiguration" or "ValidatingWebhookConfiguration" => InstallStage.Registration,
        _ => InstallStage.Settings,
    };

    /// <summary>
    /// The reverse for what is removed: nobody may be sent Jobs that nobody answers, nothing may write again what was deleted, namespaces take what is in them,
    /// and definitions take every object of their kinds, so they go at the end.
    /// </summary>
    public static int RemovalOrder(string kind) => kind switch
    {
        "MutatingWebhookConfiguration" or "ValidatingWebhookConfiguration" => 0,
        "ValidatingAdmissionPolicyBinding" => 1,
        "ValidatingAdmissionPolicy" => 2,
        "HorizontalPodAutoscaler" or "PodDisruptionBudget" => 3,
        "Deployment" or "StatefulSet" or "DaemonSet" or "ReplicaSet" => 4,
        "Pod" => 5,
        "Certificate" or "CertificateRequest" or "Issuer" => 6, // before the Secrets, which cert-manager would write again
        "PersistentVolumeClaim" => 8,
        "Namespace" => 9,
        "CustomResourceDefinition" => 10,
        _ => 7,
    };
}
