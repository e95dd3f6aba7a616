namespace Fabrik.Sandbox.Access;

/// <summary>Who asks.</summary>
public sealed record Identity(string Name, string Uid, IReadOnlyList<string> Groups)
{
    public const string Masters = "system:masters";
    public const string Authenticated = "system:authenticated";
    public const string ServiceAccounts = "system:serviceaccounts";

    public static readonly Identity Admin = new("admin", "admin", [Masters, Authenticated]);
    public static readonly Identity Anonymous = new("system:anonymous", "", ["system:unauthenticated"]);
    public static readonly Identity GarbageCollector = Controller("generic-garbage-collector");
    public static readonly Identity NamespaceController = Controller("namespace-controller");

    public IReadOnlyDictionary<string, string[]> Extra { get; init; } = new Dictionary<string, string[]>();

    public bool IsMaster => Groups.Contains(Masters);

    public static Identity ServiceAccount(string ns, string name, string uid) =>
        new($"system:serviceaccount:{ns}:{name}", uid, [ServiceAccounts, $"{ServiceAccounts}:{ns}", Authenticated]);

    private static Identity Controller(string name) => ServiceAccount("kube-system", name, "") with { Groups = [Masters, Authenticated] };
}
