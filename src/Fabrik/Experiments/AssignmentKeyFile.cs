using System.Text;

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
        var text = true;
        foreach (var one in content) text &= one is >= 0x20 and < 0x7f or (byte)'\n' or (byte)'\r' or (byte)'\t';
        byte[][] keys = text
            ? [.. Encoding.ASCII.GetString(content).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Encoding.ASCII.GetBytes)]
            : [content.ToArray()];
        if (keys.Length == 0) throw new FormatException("the assignment key file is empty; write a random key of at least 32 bytes into it, such as the output of: openssl rand -base64 32");
        if (keys.FirstOrDefault(key => key.Length < AssignmentKeys.MinimumBytes) is { } weak)
            throw new FormatException($"an assignment key has {weak.Length} bytes where at least {AssignmentKeys.MinimumBytes} are needed; make one with: openssl rand -base64 32");
        return new AssignmentKeys(keys[0], keys.Skip(1).Select(key => (ReadOnlyMemory<byte>)key));
    }
}
