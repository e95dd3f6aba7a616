using System.Text;

namespace Fabrik;

/// <summary>A file with the keys of one purpose, as the processes share it.</summary>
internal static class KeyFile
{
    /// <summary>Bytes of a key; what is shorter can be guessed.</summary>
    public const int MinimumBytes = 32;

    /// <summary>
    /// Text: one key a line, the first signs, the others only verify what they signed before a rotation. Anything else is one binary key.
    /// </summary>
    /// <param name="content">The file, whole.</param>
    /// <param name="what">What the keys are called in messages, such as "assignment key".</param>
    /// <exception cref="FormatException">No key, or one shorter than 32 bytes. The message never quotes the content.</exception>
    public static byte[][] Read(ReadOnlySpan<byte> content, string what)
    {
        var text = true;
        foreach (var one in content) text &= one is >= 0x20 and < 0x7f or (byte)'\n' or (byte)'\r' or (byte)'\t';
        byte[][] keys = text
            ? [.. Encoding.ASCII.GetString(content).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Encoding.ASCII.GetBytes)]
            : [content.ToArray()];
        if (keys.Length == 0) throw new FormatException($"the file of the {what} is empty; write a random key of at least {MinimumBytes} bytes into it, such as the output of: openssl rand -base64 32");
        if (keys.FirstOrDefault(key => key.Length < MinimumBytes) is { } weak)
            throw new FormatException($"one {what} has {weak.Length} bytes where at least {MinimumBytes} are needed; make one with: openssl rand -base64 32");
        return keys;
    }
}
