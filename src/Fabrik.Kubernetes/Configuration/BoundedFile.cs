namespace Fabrik.Kubernetes.Configuration;

/// <summary>Small files of others: a wrong path (a device, a log) must not fill the memory.</summary>
internal static class BoundedFile
{
    public const int Limit = 4 << 20;

    public static byte[] Bytes(string path)
    {
        using var file = File.OpenRead(path);
        var buffer = new MemoryStream();
        var chunk = new byte[16 << 10];
        for (int read; (read = file.Read(chunk)) > 0; buffer.Write(chunk, 0, read))
        {
            if (buffer.Length + read > Limit) throw new KubeconfigException($"{path} is larger than {Limit >> 20} MiB: this cannot be the file that is meant. Correct the path.");
        }

        return buffer.ToArray();
    }

    public static string Text(string path) => System.Text.Encoding.UTF8.GetString(Bytes(path)).TrimStart('\uFEFF');
}
