namespace Fabrik.Runs;

/// <summary>Names in an order that counts. Two lists of the same names are equal, so that records which hold them can be compared.</summary>
public sealed class NameList : List<string>, IEquatable<NameList>
{
    public bool Equals(NameList? other) => other is not null && this.SequenceEqual(other, StringComparer.Ordinal);

    public override bool Equals(object? obj) => Equals(obj as NameList);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var name in this) hash.Add(name, StringComparer.Ordinal);
        return hash.ToHashCode();
    }

    public override string ToString() => string.Join(", ", this);
}
