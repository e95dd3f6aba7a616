using System.Net.Sockets;

namespace Fabrik.Gate;

/// <summary>What came of the wait.</summary>
/// <param name="Answered">Attempts that went through.</param>
public readonly record struct GateWait(bool IsDenied, int Answered, TimeSpan Took);

/// <summary>
/// Network plug-ins begin to enforce a policy some time after a Pod has its address; until then it reaches everything. The API server answers every Pod that it
/// is not denied to, so as soon as it does not, the policy holds. One attempt that fails may have come before the network was there: it takes several in a row.
/// </summary>
public sealed class DeniedAddress(string host, int port, TimeProvider clock)
{
    /// <summary>Then the Pod fails, and the controller of Jobs tries again in its own time.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>In a row, over a second and a half at least.</summary>
    private const int Denials = 4;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>A policy that drops packets is silent: nobody answers within a data centre later than this.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    public async Task<GateWait> WaitAsync(CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        var (answered, denied) = (0, 0);
        while (true)
        {
            if (await AnswersAsync(ct)) (answered, denied) = (answered + 1, 0);
            else denied++;
            var took = clock.GetElapsedTime(began);
            if (denied == Denials) return new GateWait(true, answered, took);
            if (took >= Patience) return new GateWait(false, answered, took);
            await Task.Delay(Pause, clock, ct);
        }
    }

    private async Task<bool> AnswersAsync(CancellationToken ct)
    {
        using var silence = new CancellationTokenSource(Silence, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, silence.Token);
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(host, port, either.Token);
            return true;
        }
        catch (Exception denied) when (denied is SocketException || (denied is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return false;
        }
    }
}
