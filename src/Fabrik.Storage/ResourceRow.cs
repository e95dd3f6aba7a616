using Fabrik.Runs;

namespace Fabrik.Storage;

/// <summary>The resources in a row of the table runs: of the whole Pod, as asked for and as it ran.</summary>
internal abstract class ResourceRow
{
    public const string Resources = """
        requested_memory_request AS RequestedMemoryRequest, requested_memory_limit AS RequestedMemoryLimit, requested_cpu_request AS RequestedCpuRequest,
        requested_cpu_limit AS RequestedCpuLimit, requested_storage_limit AS RequestedStorageLimit,
        applied_memory_request AS AppliedMemoryRequest, applied_memory_limit AS AppliedMemoryLimit, applied_cpu_request AS AppliedCpuRequest,
        applied_cpu_limit AS AppliedCpuLimit, applied_storage_limit AS AppliedStorageLimit
        """;

    public long? RequestedMemoryRequest { get; set; }
    public long? RequestedMemoryLimit { get; set; }
    public long? RequestedCpuRequest { get; set; }
    public long? RequestedCpuLimit { get; set; }
    public long? RequestedStorageLimit { get; set; }
    public long? AppliedMemoryRequest { get; set; }
    public long? AppliedMemoryLimit { get; set; }
    public long? AppliedCpuRequest { get; set; }
    public long? AppliedCpuLimit { get; set; }
    public long? AppliedStorageLimit { get; set; }

    protected RunResources Requested => new()
    {
        MemoryRequestBytes = RequestedMemoryRequest,
        MemoryLimitBytes = RequestedMemoryLimit,
        CpuRequestMillis = RequestedCpuRequest,
        CpuLimitMillis = RequestedCpuLimit,
        EphemeralStorageLimitBytes = RequestedStorageLimit,
    };

    protected RunResources Applied => new()
    {
        MemoryRequestBytes = AppliedMemoryRequest,
        MemoryLimitBytes = AppliedMemoryLimit,
        CpuRequestMillis = AppliedCpuRequest,
        CpuLimitMillis = AppliedCpuLimit,
        EphemeralStorageLimitBytes = AppliedStorageLimit,
    };
}
