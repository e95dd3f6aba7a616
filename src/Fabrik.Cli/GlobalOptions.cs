using System.CommandLine;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli;

/// <summary>Options every command understands, named as kubectl names them.</summary>
public sealed class GlobalOptions
{
    public Option<string?> Kubeconfig { get; } = new("--kubeconfig") { Description = "Kubeconfig file (default: KUBECONFIG, then ~/.kube/config)", Recursive = true };
    public Option<string?> Context { get; } = new("--context") { Description = "Context of the kubeconfig", Recursive = true };
    public Option<string?> Namespace { get; } = new("--namespace", "-n") { Description = "Namespace (default: the context's)", Recursive = true };
    public Option<bool> AllNamespaces { get; } = new("--all-namespaces", "-A") { Description = "All namespaces", Recursive = true };
    public Option<string?> Server { get; } = new("--server") { Description = $"Address of Fabrik's API (default: {Names.Variables.Server}, then what the cluster offers)", Recursive = true };
    public Option<OutputFormat> Output { get; } = new("--output", "-o")
    {
        Description = "table, wide, json, yaml or name",
        Recursive = true,
        DefaultValueFactory = _ => OutputFormat.Table,
    };

    public Option<bool> NoHeaders { get; } = new("--no-headers") { Description = "Tables without their first line", Recursive = true };

    public GlobalOptions()
    {
        Output.CompletionSources.Clear();
        Output.CompletionSources.Add("table", "wide", "json", "yaml", "name");
    }

    public void AddTo(RootCommand root)
    {
        root.Options.Add(Kubeconfig);
        root.Options.Add(Context);
        root.Options.Add(Namespace);
        root.Options.Add(AllNamespaces);
        root.Options.Add(Server);
        root.Options.Add(Output);
        root.Options.Add(NoHeaders);
    }

    public ClusterConfig Config(ParseResult parsed) => ClusterConfig.FromKubeconfig(parsed.GetValue(Kubeconfig), parsed.GetValue(Context));

    public KubernetesClient Cluster(ParseResult parsed, TimeProvider clock) => new(Config(parsed), clock);

    public Task<ApiConnection> ApiAsync(ParseResult parsed, KubernetesClient cluster, Terminal terminal, CancellationToken cancel) =>
        ApiConnection.OpenAsync(cluster, parsed.GetValue(Server) ?? terminal.Variable(Names.Variables.Server), cancel);

    /// <summary>Where changes live: the namespace that was given, else the control plane's.</summary>
    public string ChangeNamespace(ParseResult parsed) => parsed.GetValue(Namespace) ?? Names.SystemNamespace;

    /// <summary>The same for lists: null with --all-namespaces.</summary>
    public string? ChangeScope(ParseResult parsed) => parsed.GetValue(AllNamespaces) ? null : ChangeNamespace(parsed);

    public Printer Printer(ParseResult parsed, Terminal terminal) => new(terminal, parsed.GetValue(Output), !parsed.GetValue(NoHeaders));
}
