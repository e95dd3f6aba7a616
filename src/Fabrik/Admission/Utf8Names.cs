using System.Text;

namespace Fabrik.Admission;

/// <summary>Names as they stand in the documents.</summary>
internal static class Utf8Names
{
    public static readonly byte[] Enabled = Encoding.ASCII.GetBytes(Names.Labels.Enabled);
    public static readonly byte[] Optimize = Encoding.ASCII.GetBytes(Names.Annotations.Optimize);
    public static readonly byte[] Gateway = Encoding.ASCII.GetBytes(Names.Labels.Gateway);
    public static readonly byte[] GatewayAnnotation = Encoding.ASCII.GetBytes(Names.Annotations.Gateway);
    public static readonly byte[] Untrusted = Encoding.ASCII.GetBytes(Names.Labels.Untrusted);
    public static readonly byte[] Gate = Encoding.ASCII.GetBytes(Names.Annotations.Gate);
    public static readonly byte[] Resume = Encoding.ASCII.GetBytes(Names.Annotations.Resume);
    public static readonly byte[] Project = Encoding.ASCII.GetBytes(Names.Labels.Project);
    public static readonly byte[] Projects = Encoding.ASCII.GetBytes(Names.Annotations.Projects);
    public static readonly byte[] SpecType = Encoding.ASCII.GetBytes(Names.Labels.SpecType);
    public static readonly byte[] Complexity = Encoding.ASCII.GetBytes(Names.Labels.Complexity);
    public static readonly byte[] Assignment = Encoding.ASCII.GetBytes(Names.Annotations.Assignment);
    public static readonly byte[] MultiKueueOrigin = Encoding.ASCII.GetBytes(Names.Labels.MultiKueueOrigin);

    /// <summary>Fabrik's labels on a Job and its Pods: run id, variant, experiment, rolled back.</summary>
    public static readonly byte[][] Labels = [.. new[] { Names.Labels.RunId, Names.Labels.Variant, Names.Labels.Experiment, Names.Labels.RolledBack }.Select(Encoding.ASCII.GetBytes)];
}
