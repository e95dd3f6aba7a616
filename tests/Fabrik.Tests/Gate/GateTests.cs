using System.Net;
using System.Net.Sockets;
using GateProgram = Fabrik.Gate.Program;

namespace Fabrik.Tests.Gate;

/// <summary>The gate against real listeners: what answers is not denied.</summary>
public sealed class GateTests
{
    private static readonly CancellationToken Cancel = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_starts_when_the_address_is_denied_several_times_in_a_row()
    {
        var (code, output, errors) = await RunAsync(Closed());
        code.ShouldBe(0, errors);
        output.ShouldContain("is denied after");
        output.ShouldContain("and 0 answers");
    }

    [Fact]
    public async Task A_run_waits_as_long_as_the_address_answers()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var port = ((IPEndPoint)server.LocalEndpoint).Port;
        var run = RunAsync(port);
        for (var i = 0; i < 3; i++) (await server.AcceptTcpClientAsync(Cancel)).Dispose();
        run.IsCompleted.ShouldBeFalse();
        server.Stop();
        var (code, output, errors) = await run;
        code.ShouldBe(0, errors);
        output.ShouldNotContain("and 0 answers");
    }

    [Fact]
    public async Task A_run_does_not_start_where_the_address_answers_for_half_a_minute()
    {
        var clock = new SteppingClock();
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start(backlog: 1000);
        var (code, _, errors) = await RunAsync(((IPEndPoint)server.LocalEndpoint).Port, clock);
        code.ShouldBe(1);
        errors.ShouldContain("still answers after 30");
        errors.ShouldContain("this run does not start. Next: fabrik check");
    }

    [Fact]
    public async Task Denials_between_answers_do_not_count()
    {
        // Three denials, an answer, and denied from then on: seven attempts and not four.
        var port = Closed();
        var clock = new SteppingClock();
        TcpListener? server = null;
        clock.OnDelay = count =>
        {
            if (count == 3)
            {
                server = new TcpListener(IPAddress.Loopback, port);
                server.Start();
            }
            else if (count == 4) server!.Stop();
        };
        var (code, output, errors) = await RunAsync(port, clock);
        code.ShouldBe(0, errors);
        output.ShouldContain("and 1 answers");
        clock.Delays.ShouldBe(7);
    }

    [Theory]
    [InlineData(null, "443")]
    [InlineData("127.0.0.1", null)]
    [InlineData("127.0.0.1", "https")]
    public async Task A_run_does_not_start_where_it_is_not_known_what_to_try(string? host, string? port)
    {
        var errors = new StringWriter();
        (await GateProgram.RunAsync(name => name == Names.Variables.KubernetesServiceHost ? host : port, TextWriter.Null, errors, TimeProvider.System, Cancel)).ShouldBe(1);
        errors.ToString().ShouldContain("does not start");
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(int port, TimeProvider? clock = null)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await GateProgram.RunAsync(name => name == Names.Variables.KubernetesServiceHost ? "127.0.0.1" : port.ToString(System.Globalization.CultureInfo.InvariantCulture), output, errors, clock ?? TimeProvider.System, Cancel);
        return (code, output.ToString(), errors.ToString());
    }

    private static int Closed()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        return ((IPEndPoint)server.LocalEndpoint).Port;
    }

    /// <summary>Its pauses take no time and still move it on; a limit of a second is never reached.</summary>
    private sealed class SteppingClock : TimeProvider
    {
        private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);
        private long ticks;

        public int Delays { get; private set; }
        public Action<int>? OnDelay { get; set; }
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref ticks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == Limit || dueTime == Timeout.InfiniteTimeSpan) return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Interlocked.Add(ref ticks, dueTime.Ticks);
            OnDelay?.Invoke(++Delays);
            return System.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }
}
