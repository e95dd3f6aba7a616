namespace Fabrik.Experiments;

/// <summary>The file with the keys that sign assignments, as the processes share it.</summary>
public static class AssignmentKeyFile
{
    public const int MaximumBytes = 64 * 1024;

    /// <summary>
    /// Text: one key a line, the first signs, the others only verify what they signed before a rotation. Anything else is one binary key.
    /// </summary>
    /// <exception cref="FormatException">No key, or one shorter than 32 bytes. The message never quotes the content.</exception>
    public static AssignmentKeys Parse(ReadOnlySpan<byte> content)
    {
        var keys = KeyFile.Read(content, "assignment key");
        return new AssignmentKeys(keys[0], keys.Skip(1).Select(key => (ReadOnlyMemory<byte>)key));
    }
}
