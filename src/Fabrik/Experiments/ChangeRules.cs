namespace Fabrik.Experiments;

/// <summary>The rules of the CRDs in C#: what the CEL expressions of manifests/crds say, for the command and the sandbox.</summary>
public static class ChangeRules
{
}
