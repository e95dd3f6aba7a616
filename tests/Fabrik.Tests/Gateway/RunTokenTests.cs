using System.Security.Cryptography;
using System.Text;
using Fabrik.Gateway;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Gateway;

public class RunTokenTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);
    private static readonly RunTokenKeys Keys = Of("the first key of run tokens in tests");
    private static readonly RunClaims Claims = new("kt2igi5uqnjz4d4nenbhthlqhc", "ci", "search", "treatment", "cheaper-model", "nightly", "hard", Now.AddDays(30));

    [Fact]
    public void A_token_is_versioned_names_its_key_and_says_what_was_put_into_it()
    {
        var token = RunToken.Mint(Claims, Keys);
        token.ShouldMatch(@"^fbk-run-1\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$");
        Verify(token).ShouldBe((TokenVerdict.Valid, Claims));
        RunToken.Mint(Claims, Keys).ShouldBe(token);
    }

    [Fact]
    public void Any_claims_come_back_as_they_were() => Prop.ForAll(AnyClaims, claims =>
    {
        Verify(RunToken.Mint(claims, Keys)).ShouldBe((TokenVerdict.Valid, claims));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void From_the_second_it_expires_it_is_refused()
    {
        var token = RunToken.Mint(Claims, Keys);
        RunToken.Verify(token, Keys, Claims.ExpiresAt.AddTicks(-1), out var claims).ShouldBe(TokenVerdict.Valid);
        claims.ShouldNotBeNull();
        RunToken.Verify(token, Keys, Claims.ExpiresAt, out claims).ShouldBe(TokenVerdict.Expired);
        claims.ShouldBeNull();
    }

    [Fact]
    public void Cut_off_or_with_any_character_replaced_it_is_invalid()
    {
        var token = RunToken.Mint(Claims, Keys);
        for (var i = 0; i < token.Length; i++)
        {
            if (i > 0) Verify(token[..i]).Verdict.ShouldBe(TokenVerdict.Invalid, $"{i} characters");
            Verify(token[i..] == token ? token + "A" : token[i..]).Verdict.ShouldBe(TokenVerdict.Invalid);
            foreach (var other in "A_.= \n\0é\ud83dZ".Where(other => other != token[i]))
                Verify(string.Concat(token.AsSpan(0, i), [other], token.AsSpan(i + 1))).Verdict.ShouldBe(TokenVerdict.Invalid, $"{other} at {i}");
        }
    }

    /// <summary>The last character of a signature holds two bits that mean nothing; four spellings would be four tokens.</summary>
    [Fact]
    public void Another_spelling_of_the_same_bytes_is_another_token_and_invalid()
    {
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        var token = RunToken.Mint(Claims, Keys);
        Alphabet.Count(last => Verify(token[..^1] + last).Verdict == TokenVerdict.Valid).ShouldBe(1);
        foreach (var padded in (string[])[token + "=", token + "\n", " " + token, token.Replace(".", "=.", StringComparison.Ordinal), token.Replace('-', '+').Replace("fbk+run+1", "fbk-run-1", StringComparison.Ordinal) + "+"])
            Verify(padded).Verdict.ShouldBe(TokenVerdict.Invalid, padded);
    }

    [Fact]
    public void A_key_that_is_not_known_here_or_another_version_is_invalid()
    {
        var token = RunToken.Mint(Claims, Keys);
        RunToken.Verify(token, Of("another key, as long as it has to be"), Now, out _).ShouldBe(TokenVerdict.Invalid);
        Verify(token.Replace("fbk-run-1.", "fbk-run-2.", StringComparison.Ordinal)).Verdict.ShouldBe(TokenVerdict.Invalid);
        Verify(token.Replace("fbk-run-1.", "fbk-key-1.", StringComparison.Ordinal)).Verdict.ShouldBe(TokenVerdict.Invalid);
    }

    /// <summary>An id is no secret: whoever knows it still cannot sign.</summary>
    [Fact]
    public void The_id_of_a_known_key_does_not_help_a_foreign_signature()
    {
        var (own, foreign) = (RunToken.Mint(Claims, Keys).Split('.'), RunToken.Mint(Claims, Of("another key, as long as it has to be")).Split('.'));
        Verify(string.Join('.', own[0], own[1], foreign[2], foreign[3])).Verdict.ShouldBe(TokenVerdict.Invalid);
        own[1].ShouldNotBe(foreign[1]);
    }

    [Fact]
    public void After_a_rotation_tokens_of_both_keys_hold_until_the_old_one_is_taken_away()
    {
        const string First = "the first key of run tokens in tests";
        const string Second = "the second key of run tokens in tests";
        var (old, both, last) = (Of(First), Parse(Second + "\n" + First), Parse(Second));
        var (before, after) = (RunToken.Mint(Claims, old), RunToken.Mint(Claims, both));

        RunToken.Verify(before, both, Now, out _).ShouldBe(TokenVerdict.Valid);
        RunToken.Verify(after, both, Now, out _).ShouldBe(TokenVerdict.Valid);
        RunToken.Verify(after, Parse(First + "\n" + Second), Now, out _).ShouldBe(TokenVerdict.Valid);
        RunToken.Verify(after, last, Now, out _).ShouldBe(TokenVerdict.Valid);
        RunToken.Verify(before, last, Now, out _).ShouldBe(TokenVerdict.Invalid);
        RunToken.Verify(after, old, Now, out _).ShouldBe(TokenVerdict.Invalid);
    }

    [Theory]
    [InlineData("", TokenVerdict.Missing)]
    [InlineData("dry-run", TokenVerdict.DryRun)]
    [InlineData("Dry-Run", TokenVerdict.Invalid)]
    [InlineData("fbk-run-1.", TokenVerdict.Invalid)]
    [InlineData("fbk-run-1....", TokenVerdict.Invalid)]
    [InlineData("sk-proj-somebodys-own-key", TokenVerdict.Invalid)]
    public void What_is_no_token_is_told_apart_without_an_exception(string token, TokenVerdict verdict) => Verify(token).ShouldBe((verdict, null));

    [Fact]
    public void No_text_whatever_makes_it_throw_or_is_valid()
    {
        var token = RunToken.Mint(Claims, Keys);
        var pieces = Gen.Elements("fbk-run-1.", token[..18], token[19..40], ".", "..", "=", "é", "\0", token[^43..], new string('A', 43), new string('x', 700), "dry-run", "\ud800");
        var texts = Gen.OneOf(pieces.ListOf().Select(string.Concat), ArbMap.Default.GeneratorFor<string>().Select(text => text ?? ""), Gen.Choose(0, token.Length - 1).Select(at => token.Remove(at, 1)));
        Prop.ForAll(texts.ToArbitrary(), text => Verify(text).Verdict.ShouldNotBe(TokenVerdict.Valid)).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    [Fact]
    public void What_is_too_long_is_refused_unread_and_never_minted()
    {
        Verify("fbk-run-1." + new string('A', 4 * 1024 * 1024)).Verdict.ShouldBe(TokenVerdict.Invalid);
        Should.Throw<ArgumentException>(() => RunToken.Mint(Claims with { Project = new string('p', 2000) }, Keys)).Message.ShouldContain("2048");
        var longest = RunToken.Mint(Claims with { Project = new string('p', 1200) }, Keys);
        Verify(longest).Verdict.ShouldBe(TokenVerdict.Valid);
    }

    [Fact]
    public void Verifying_allocates_the_claims_and_nothing_else()
    {
        var token = RunToken.Mint(Claims, Keys);
        var broken = token[..^1] + (token[^1] == 'A' ? 'E' : 'A');
        for (var i = 0; i < 200; i++)
        {
            Verify(token);
            Verify(broken);
        }

        Allocated(() => RunToken.Verify(broken, Keys, Now, out _)).ShouldBe(0);
        Allocated(() => RunToken.Verify(token, Keys, Now.AddYears(1), out _)).ShouldBe(0);
        var claims = Allocated(() => _ = new RunClaims(Copy(Claims.RunId), Copy(Claims.Namespace), Copy(Claims.Project), Copy(Claims.Arm), Copy(Claims.Change), Copy(Claims.TaskType), Copy(Claims.Complexity), Now));
        Allocated(() => RunToken.Verify(token, Keys, Now, out _)).ShouldBe(claims);

        static string Copy(string? text) => new(text.AsSpan());
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("this one is long enough to be a key, surely\nshort")]
    public void Files_without_good_keys_are_refused_and_never_quoted(string content)
    {
        var message = Should.Throw<FormatException>(() => Parse(content)).Message;
        message.ShouldContain("run token key");
        message.ShouldNotContain("short");
    }

    [Fact]
    public void A_secret_that_signs_assignments_too_signs_no_token_by_what_it_signs_for_them()
    {
        var secret = Encoding.ASCII.GetBytes("one secret for everything, against advice");
        var token = RunToken.Mint(Claims, new RunTokenKeys(secret));
        var signed = token[..token.LastIndexOf('.')];
        byte[] Signature(byte[] key) => HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(signed));

        foreach (var key in (byte[][])[secret, HMACSHA256.HashData(secret, "fabrik.dev/assignment/v1"u8)])
            RunToken.Verify($"{signed}.{System.Buffers.Text.Base64Url.EncodeToString(Signature(key))}", new RunTokenKeys(secret), Now, out _).ShouldBe(TokenVerdict.Invalid);
    }

    [Fact]
    public void The_models_that_a_run_calls_instead_of_others_are_in_its_token()
    {
        var claims = Claims with { Models = [new ModelRewrite("large", "small"), new ModelRewrite("\"odd\" größer", "m")] };
        var (verdict, read) = Verify(RunToken.Mint(claims, Keys));
        verdict.ShouldBe(TokenVerdict.Valid);
        read!.Models.ShouldBe(claims.Models);
        (read with { Models = [] }).ShouldBe(claims with { Models = [] });
        read.Rewritten("large", "large").ShouldBe("small");
        read.Rewritten("fast", "large").ShouldBe("small", "the alias stands for it");
        read.Rewritten("small", "small").ShouldBeNull();
    }

    private static Arbitrary<RunClaims> AnyClaims
    {
        get
        {
            var text = ArbMap.Default.GeneratorFor<NonNull<string>>().Select(one => string.Concat(one.Get.Where(c => !char.IsSurrogate(c)).Take(63)));
            var maybe = Gen.OneOf(text.Select(one => (string?)one), Gen.Constant<string?>(null));
            return (from run in text
                    from rest in maybe.ListOf(6)
                    from seconds in Gen.Choose(1, int.MaxValue)
                    select new RunClaims(run, rest[0] ?? "ci", rest[1], rest[2], rest[3], rest[4], rest[5], Now.AddSeconds(seconds))).ToArbitrary();
        }
    }

    private static (TokenVerdict Verdict, RunClaims? Claims) Verify(string token) => (RunToken.Verify(token, Keys, Now, out var claims), claims);

    private static RunTokenKeys Of(string key) => new(Encoding.ASCII.GetBytes(key));

    private static RunTokenKeys Parse(string lines) => RunTokenKeys.Parse(Encoding.ASCII.GetBytes(lines));

    private static long Allocated(Action action)
    {
        action();
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
