using Fabrik.Experiments;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Prices;
using Fabrik.Kubernetes;

namespace Fabrik.Api.Usage;

/// <summary>The policy's budgets, read again every few seconds.</summary>
internal sealed class BudgetPolicy(KubernetesClient cluster, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim reading = new(1, 1);
    private IReadOnlyList<ModelBudget> budgets = [];
    private DateTimeOffset readAt = DateTimeOffset.MinValue;

    /// <summary>Names of those that bound nothing as they are written, as they were read last.</summary>
    public IReadOnlyList<string> Unusable { get; private set; } = [];

    /// <summary>Those that are usable; without an answer of the API server the last ones go on.</summary>
    /// <exception cref="KubernetesException">They were never read.</exception>
    public async Task<IReadOnlyList<ModelBudget>> BudgetsAsync(CancellationToken ct)
    {
        await reading.WaitAsync(ct);
        try
        {
            if (clock.GetUtcNow() - readAt < Fresh) return budgets;
            try
            {
                var spec = ObjectJson.Policy((await cluster.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct)).Json).Spec;
                var read = spec.Budgets.Select(budget => (budget.Name, Usable: ModelBudget.Of(budget, ModelPriceBook.Default.Currency))).ToArray();
                budgets = [.. read.Select(one => one.Usable).OfType<ModelBudget>()];
                Unusable = [.. read.Where(one => one.Usable is null).Select(one => one.Name)];
            }
            catch (KubernetesException e) when (e.IsNotFound)
            {
                (budgets, Unusable) = ([], []);
            }
            catch (KubernetesException) when (readAt > DateTimeOffset.MinValue)
            {
                return budgets;
            }

            readAt = clock.GetUtcNow();
            return budgets;
        }
        finally
        {
            reading.Release();
        }
    }

    public void Dispose() => reading.Dispose();
}
