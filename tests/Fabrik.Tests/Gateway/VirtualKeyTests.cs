using Fabrik.Gateway;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Gateway;

public sealed class VirtualKeyTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_virtual_key_is_known_by_its_hash_until_it_expires_or_is_revoked()
    {
        var (secret, kept) = VirtualKey.Create("search", "ci", Now, Now.AddDays(1));
        kept.Hash.ShouldNotContain(secret);
        new VirtualKeys([kept]).Verify(secret, Now, out var key).ShouldBe(TokenVerdict.Valid);
        key!.Project.ShouldBe("search");
        new VirtualKeys([kept]).Verify(secret, Now.AddDays(1), out _).ShouldBe(TokenVerdict.Expired);
        new VirtualKeys([kept with { RevokedAt = Now }]).Verify(secret, Now, out _).ShouldBe(TokenVerdict.Ended);
        new VirtualKeys([kept]).Verify(secret[..^1] + (secret[^1] == 'A' ? 'B' : 'A'), Now, out _).ShouldBe(TokenVerdict.Invalid);
        VirtualKeys.None.Verify(secret, Now, out _).ShouldBe(TokenVerdict.Invalid);
    }

    [Fact]
    public void Anything_else_is_no_key() =>
        Prop.ForAll(ArbMap.Default.GeneratorFor<string>().ToArbitrary(), text =>
            new VirtualKeys([VirtualKey.Create("a", null, Now, null).Kept]).Verify(VirtualKey.Prefix + text, Now, out var key) == TokenVerdict.Invalid && key is null).QuickCheckThrowOnFailure();
}
