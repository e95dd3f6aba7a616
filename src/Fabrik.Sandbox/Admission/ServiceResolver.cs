using System.Globalization;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>Where a Service leads: to an endpoint that is ready, as an API server finds it that has no proxy in front of its Services.</summary>
internal static class ServiceResolver
{
    private const string ServiceName = "kubernetes.io/service-name";

    /// <summary>Null where no endpoint is ready.</summary>
    public static Uri? Find(ObjectStore store, string ns, string name, long port)
    {
        if (store.Get(BuiltInTypes.Service, ns, name)?.Read() is not { } service) return null;
        var portName = service.Items("spec", "ports").FirstOrDefault(one => one.Number("port") == port) is { } found ? found.Text("name") ?? "" : null;
        if (portName is null) return null;
        foreach (var slice in store.Log(BuiltInTypes.EndpointSlice).Now().From(ns).Where(slice => slice.Labels.GetValueOrDefault(ServiceName) == name).Select(slice => slice.Read()))
        {
            var address = slice.Items("endpoints").Where(endpoint => endpoint.Flag("conditions", "ready") != false).SelectMany(endpoint => endpoint.Texts("addresses")).FirstOrDefault();
            var number = slice.Items("ports").FirstOrDefault(one => (one.Text("name") ?? "") == portName).Number("port");
            if (address is not null && number is { } to) return new Uri(string.Create(CultureInfo.InvariantCulture, $"https://{address}:{to}"));
        }

        return null;
    }
}
