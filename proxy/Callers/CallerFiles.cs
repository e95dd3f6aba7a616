using System.Collections.Concurrent;
using Fabrik.Gateway;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Proxy.Callers;

/// <summary>Keys of run tokens and the virtual keys, from their files.</summary>
internal sealed class CallerFiles : IDisposable
{
    private readonly WatchedFiles tokens;
    private readonly WatchedFiles? keys;
    private volatile Known known = null!;
    private volatile VirtualKeys virtualKeys = VirtualKeys.None;

    /// <exception cref="ProxyException">There is no usable token key.</exception>
    public CallerFiles(ProxyOptions options, ILogger<CallerFiles> logger)
    {
        try
        {
            tokens = new WatchedFiles([options.TokenKeyFile], content => known = new Known(RunTokenKeys.Parse(content[0])), options.Clock, logger);
            if (options.VirtualKeyFile is { } path && File.Exists(path)) keys = new WatchedFiles([path], content => virtualKeys = VirtualKeys.Parse(content[0]), options.Clock, logger);
        }
        catch (Exception e)
        {
            throw new ProxyException($"callers cannot be told apart: {e.Message} ({Names.Variables.RunTokenKeyFile} and {Names.Variables.VirtualKeyFile} name the files)", e);
        }
    }

    /// <summary>Who calls; nothing but the class of what is wrong is ever said.</summary>
    public TokenVerdict Verify(string? presented, DateTimeOffset now, out Caller? caller)
    {
        caller = null;
        if (presented is null) return TokenVerdict.Missing;
        if (presented.StartsWith(VirtualKey.Prefix, StringComparison.Ordinal))
        {
            var kept = virtualKeys.Verify(presented, now, out var key);
            if (key is not null) caller = new Caller(null, key);
            return kept;
        }

        var read = known;
        if (read.Callers.TryGetValue(presented, out var seen))
        {
            if (now >= seen.Run!.ExpiresAt) return TokenVerdict.Expired;
            caller = seen;
            return TokenVerdict.Valid;
        }

        var verdict = RunToken.Verify(presented, read.Keys, now, out var claims);
        if (claims is null) return verdict;
        caller = new Caller(claims, null);
        if (read.Callers.Count >= Known.Most) read.Callers.Clear();
        read.Callers.TryAdd(presented, caller);
        return verdict;
    }

    public void Dispose()
    {
        tokens.Dispose();
        keys?.Dispose();
    }
}

/// <summary>Keys, and the tokens that were found to be signed with them: a run calls many times with the same one.</summary>
internal sealed record Known(RunTokenKeys Keys)
{
    public const int Most = 4096;

    public ConcurrentDictionary<string, Caller> Callers { get; } = new(StringComparer.Ordinal);
}

/// <summary>A Job's run, or the holder of a virtual key: one of the two.</summary>
internal sealed record Caller(RunClaims? Run, VirtualKey? Key)
{
    public string? Project => Run is not null ? Run.Project : Key!.Project;
}
