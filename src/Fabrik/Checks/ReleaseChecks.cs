namespace Fabrik.Checks;

/// <param name="Own">The command's.</param>
/// <param name="Api">What Fabrik's API says of itself.</param>
/// <param name="Gateways">By replica.</param>
/// <param name="Images">Of the workloads' containers, and of the gate that the webhook puts into Pods of runs.</param>
public sealed record ReleaseFacts(string Own, InstalledObjects Installation, Reading<string> Api, IReadOnlyDictionary<string, string> Gateways, IReadOnlyList<string> Images);

/// <summary>Whether command and processes are of one version.</summary>
public static class ReleaseChecks
{
    private const string Next = "fabrik upgrade, or the command of the other version: fabrik version";

    public static readonly Category<ReleaseFacts> Category = new("versions",
    [
        new("FAB-3271", "Fabrik's API is of the command's version", facts => facts.Api.Judge(version => Same(version, facts.Own) ? Finding.Passed(Short(version)) : Finding.Warning($"the API is {Short(version)}, the command {Short(facts.Own)}", Next), () => Finding.Unproven(facts.Api.Why!))),
        new("FAB-3272", "the gateways are of the command's version", facts => facts.Gateways.Count == 0 ? Finding.Skipped("no gateway told its version")
            : facts.Gateways.Where(one => !Same(one.Value, facts.Own)).ToList() is { Count: > 0 } others ? Finding.Warning($"{others[0].Key} is {Short(others[0].Value)}, the command {Short(facts.Own)}", Next) : Finding.Passed(Short(facts.Own))),
        new("FAB-3273", "all images are of one version", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside)
            : facts.Images.Count == 0 ? Finding.Unproven("no workload could be read")
            : facts.Images.Select(Tag).Distinct(StringComparer.Ordinal).ToList() is { Count: > 1 } mixed ? Finding.Warning($"there are {mixed.Few()}", "fabrik upgrade") : Finding.Passed(Tag(facts.Images[0]))),
        new("FAB-3274", "no image's version moves by itself", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside)
            : facts.Images.Count == 0 ? Finding.Unproven("no workload could be read")
            : facts.Images.Where(image => Tag(image) == "latest").ToList() is { Count: > 0 } moving ? Finding.Warning($"{moving.Few(2)}: what runs depends on when it was pulled", "name a version in an overlay: images") : Finding.Passed()),
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    /// <summary>"latest" where none is written; a digest counts as one of its own.</summary>
    internal static string Tag(string image)
    {
        var name = image[(image.LastIndexOf('/') + 1)..];
        return name.IndexOf('@', StringComparison.Ordinal) is > 0 and var digest ? name[(digest + 1)..] : name.IndexOf(':', StringComparison.Ordinal) is > 0 and var tag ? name[(tag + 1)..] : "latest";
    }

    private static bool Same(string one, string other) => Short(one) == Short(other);

    /// <summary>Without the commit it was built from.</summary>
    private static string Short(string version) => version.Split('+')[0];
}
