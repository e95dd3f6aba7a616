using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Tried">A claim for one Pod alone, tried with --dry-run=server.</param>
/// <param name="Claims">Those with Fabrik's label.</param>
public sealed record StorageFacts(InstalledObjects Installation, Reading<IReadOnlyList<JsonElement>> Classes, Reading<JsonElement> Tried, Reading<IReadOnlyList<JsonElement>> Claims, Reading<IReadOnlyList<JsonElement>> Nodes);

/// <summary>Where the control database and the gateways' spools lie: local block storage, for one Pod each.</summary>
public static class StorageChecks
{
    private const string Default = "storageclass.kubernetes.io/is-default-class";
    private const string OnePod = "ReadWriteOncePod";

    /// <summary>Parts of provisioners' names whose volumes are network file systems: SQLite's write-ahead log gets corrupted there.</summary>
    private static readonly string[] Shared = ["nfs", "cifs", "smb", "efs.csi", "file.csi.azure", "azure-file", "filestore", "cephfs", "gluster", "lustre", "juicefs", "s3."];

    public static readonly Category<StorageFacts> Category = new("storage",
    [
        new("FAB-3121", "there is a default storage class", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Classes.Judge(classes => Defaults(classes) is { Count: > 0 } defaults
            ? Finding.Passed($"{defaults[0].Name()}, {defaults[0].Text("provisioner")}")
            : Finding.Failed($"of {classes.Count} storage classes none is the default, and Fabrik's claims name none", "kubectl patch storageclass NAME -p '{\"metadata\":{\"annotations\":{\"" + Default + "\":\"true\"}}}'"))),
        new("FAB-3122", "there is only one", facts => facts.Classes.Judge(classes => Defaults(classes) is { Count: > 1 } many
            ? Finding.Warning($"{many.Select(Fields.Name).Few()} are: the newest of them is taken", $"kubectl annotate storageclass {many[^1].Name()} {Default}-")
            : Finding.Passed())) { Needs = ["FAB-3121"] },
        new("FAB-3123", "its volumes are no network file system", facts => facts.Classes.Judge(classes => Defaults(classes)[0] is var chosen && Shared.FirstOrDefault(part => chosen.Text("provisioner")?.Contains(part, StringComparison.OrdinalIgnoreCase) == true) is not null
            ? Finding.Failed($"{chosen.Name()} ({chosen.Text("provisioner")}) gives network file systems, on which SQLite's log gets corrupted; Fabrik refuses to start there", "make a class of block volumes the default, or name one in an overlay: storageClassName")
            : Finding.Passed(chosen.Text("provisioner")))) { Needs = ["FAB-3121"] },
        new("FAB-3124", "a claim for one Pod alone is accepted", facts => facts.Tried.Judge(
            claim => claim.Texts("spec", "accessModes").Contains(OnePod) ? Finding.Passed($"{OnePod}, with --dry-run=server") : Finding.Failed($"the claim came back without {OnePod}", "kubectl version"),
            next: "kubectl explain persistentvolumeclaim.spec.accessModes")),
        new("FAB-3125", "no node is short of disk", facts => facts.Nodes.Judge(nodes => nodes.Where(node => node.Holds("DiskPressure")).Select(Fields.Name).ToList() is { Count: > 0 } short_
            ? Finding.Warning($"{short_.Few()}: Pods are evicted there", $"kubectl describe node {short_[0]}")
            : Finding.Passed())),
        new("FAB-3126", "the control database has its volume", facts => Bound(facts, claim => claim.Namespace() == Names.SystemNamespace)) { Phase = CheckPhase.After },
        new("FAB-3127", "every gateway has its volume", facts => Bound(facts, claim => claim.Namespace() == Names.GatewayNamespace)) { Phase = CheckPhase.After },
        new("FAB-3128", "these volumes are for one Pod alone", facts => Of(facts, claims => claims.Where(claim => !claim.Texts("spec", "accessModes").SequenceEqual([OnePod])).Select(Told).ToList() is { Count: > 0 } wide
            ? Finding.Warning($"{wide.Few()}: two Pods on one node could use it at once, and SQLite files do not survive that", "delete the StatefulSet with --cascade=orphan and install again; a claim's access modes do not change")
            : Finding.Passed(OnePod))) { Phase = CheckPhase.After, Needs = ["FAB-3126"] },
    ])
    { Needs = [AccessChecks.Answers] };

    private static List<JsonElement> Defaults(IReadOnlyList<JsonElement> classes) =>
        [.. classes.Where(one => one.Text("metadata", "annotations", Default) == "true").OrderByDescending(one => one.Time("metadata", "creationTimestamp"))];

    private static Finding Of(StorageFacts facts, Func<IReadOnlyList<JsonElement>, Finding> judge) => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Claims.Judge(judge);

    private static Finding Bound(StorageFacts facts, Func<JsonElement, bool> which) => Of(facts, claims =>
    {
        var wanted = claims.Where(which).ToList();
        if (wanted.Count == 0) return Finding.Failed("there is no claim", "fabrik install");
        return wanted.Where(claim => claim.Text("status", "phase") != "Bound").ToList() is { Count: > 0 } waiting
            ? Finding.Failed($"{waiting.Select(claim => $"{Told(claim)} is {claim.Text("status", "phase") ?? "not bound"}").Few()}", $"kubectl -n {waiting[0].Namespace()} describe pvc {waiting[0].Name()}")
            : Finding.Passed($"{wanted.Count} bound");
    });

    private static string Told(JsonElement claim) => $"{claim.Namespace()}/{claim.Name()}";
}
