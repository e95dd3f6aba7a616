using Dapper;
using Fabrik.Storage;

namespace Fabrik.Tests.Storage;

public class SharedFileTests
{
    [Fact]
    public void A_second_opener_in_one_process_can_write_after_the_first_has_read()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-storage-").FullName;
        using (var first = Database.Open(directory, TimeProvider.System))
        {
            using (var reader = first.Read()) reader.ExecuteScalar<long>("SELECT 1");
            using var second = Database.Open(directory, TimeProvider.System);
            second.Write((connection, transaction) => connection.Execute("CREATE TABLE probe (x INTEGER)", transaction: transaction));
        }

        Directory.Delete(directory, recursive: true);
    }
}
