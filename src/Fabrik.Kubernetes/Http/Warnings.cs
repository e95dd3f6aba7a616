using System.Text;

namespace Fabrik.Kubernetes.Http;

/// <summary>Warning headers of RFC 7234, code 299: what Kubernetes tells people beside a good answer.</summary>
internal static class Warnings
{
    /// <summary>One header may hold several: 299 - "first", 299 agent "second \"quoted\"" "date".</summary>
    public static IEnumerable<string> Parse(string header)
    {
        var at = 0;
        while (at < header.Length)
        {
            var code = header.IndexOf("299 ", at, StringComparison.Ordinal);
            var open = code < 0 ? -1 : header.IndexOf('"', code);
            if (open < 0) yield break;
            var text = new StringBuilder();
            for (at = open + 1; at < header.Length && header[at] != '"'; at++)
            {
                if (header[at] == '\\' && at + 1 < header.Length) at++;
                text.Append(header[at]);
            }

            at++;
            if (text.Length > 0) yield return text.ToString();
        }
    }
}
