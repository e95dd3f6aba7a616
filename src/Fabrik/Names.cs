namespace Fabrik;

/// <summary>Every name that crosses a process border, once. Documents and manifests are compared with this file by a test.</summary>
public static class Names
{
    public const string Group = "fabrik.dev";
    public const string ApiVersion = "fabrik.dev/v1";

    /// <summary>The namespace of the control plane: webhook, API, scheduler, changes.</summary>
    public const string SystemNamespace = "fabrik-system";

    /// <summary>The namespace of the LLM gateway, which alone holds provider keys.</summary>
    public const string GatewayNamespace = "fabrik-gateway";

    /// <summary>The namespace for runs that is installed; <c>fabrik namespace create</c> makes others like it.</summary>
    public const string RunsNamespace = "fabrik-runs";

    /// <summary>The gateway's ServiceAccount as Kubernetes names a user: by default the only one that may deliver usage.</summary>
    public const string GatewayUser = "system:serviceaccount:fabrik-gateway:fabrik-gateway";

    /// <summary>Audience of the tokens that callers present to Fabrik's own API.</summary>
    public const string Audience = "fabrik";

    /// <summary>Name of the one OptimizerPolicy that counts.</summary>
    public const string PolicyName = "default";

    /// <summary>Owner of the fields that Fabrik applies server-side.</summary>
    public const string FieldManager = "fabrik";

    /// <summary>Owner of what is filled in afterwards, so that what is applied again takes none of it away.</summary>
    public const string KeeperManager = "fabrik-keeper";

    /// <summary>Owner of the labels that opt in namespaces.</summary>
    public const string OptInManager = "fabrik-opt-in";

    public static class Labels
    {
        /// <summary>On a namespace: "true" opts every Job in it in.</summary>
        public const string Enabled = "fabrik.dev/enabled";

        /// <summary>On a namespace: "true" gives every Job in it a run token for the LLM gateway, whether it is enabled or not.</summary>
        public const string Gateway = "fabrik.dev/gateway";

        /// <summary>On a namespace, or on a Job whose namespace lists it: whom calls of the LLM gateway are charged to.</summary>
        public const string Project = "fabrik.dev/project";
        public const string Environment = "fabrik.dev/environment";

        /// <summary>On a namespace: "true" where what runs in it is not trusted. Each Job gets the policy's safe defaults, and what is not safe is refused.</summary>
        public const string Untrusted = "fabrik.dev/untrusted";

        /// <summary>On a namespace: "true" lets its Pods scrape the metrics of the control plane.</summary>
        public const string Metrics = "fabrik.dev/metrics";

        /// <summary>On a namespace: permit.fabrik.dev/KIND is "true" or "false"; see <see cref="Experiments.Permissions"/> for kinds and defaults.</summary>
        public const string PermitPrefix = "permit.fabrik.dev/";

        public const string SpecType = "fabrik.dev/spec-type";
        public const string SpecId = "fabrik.dev/spec-id";
        public const string TaskCount = "fabrik.dev/task-count";
        public const string Deferrable = "fabrik.dev/deferrable";

        /// <summary>On a Job: how hard its task is, in the author's words; the gateway chooses models by it.</summary>
        public const string Complexity = "fabrik.dev/complexity";

        /// <summary>Written by Fabrik: 26 lower-case characters, random, one per Job. On the claim that the Job resumes from too.</summary>
        public const string RunId = "fabrik.dev/run-id";

        /// <summary>Written by Fabrik: treatment, control, holdout or applied.</summary>
        public const string Variant = "fabrik.dev/variant";

        /// <summary>Written by Fabrik: the name of the OptimizationChange whose experiment the Job is in.</summary>
        public const string Experiment = "optimizer.dev/experiment";

        /// <summary>Written by Fabrik: "true" where a change that was for the Job has been rolled back.</summary>
        public const string RolledBack = "optimizer.dev/rolled-back";

        /// <summary>Written by Kubernetes on the Pods of a Job.</summary>
        public const string JobName = "batch.kubernetes.io/job-name";
        public const string ControllerUid = "batch.kubernetes.io/controller-uid";

        /// <summary>The names that the two had before; Kubernetes still writes them beside the new ones.</summary>
        public const string OldJobName = "job-name";
        public const string OldControllerUid = "controller-uid";
        public const string NamespaceName = "kubernetes.io/metadata.name";

        /// <summary>On a Job that MultiKueue sent to the cluster where it runs.</summary>
        public const string MultiKueueOrigin = "kueue.x-k8s.io/multikueue-origin";
        public const string PartOf = "app.kubernetes.io/part-of";

        /// <summary>Selects everything that belongs to Fabrik.</summary>
        public const string Ours = $"{PartOf}=fabrik";
        public const string Name = "app.kubernetes.io/name";
        public const string Component = "app.kubernetes.io/component";

        /// <summary>On what <c>fabrik check</c> makes to try something, and takes away again: the id of the check that did.</summary>
        public const string Check = "fabrik.dev/check";
    }

    public static class Annotations
    {
        /// <summary>On a Job: "true" opts it in, "false" opts it out.</summary>
        public const string Optimize = "fabrik.dev/optimize";

        /// <summary>On a Job: "true" or "false", whatever its namespace says.</summary>
        public const string Gateway = "fabrik.dev/gateway";

        /// <summary>On a Job: "true" makes its Pods wait until the network policy is enforced for them. Where the policy wants that of untrusted runs, nothing on a Job ends it.</summary>
        public const string Gate = "fabrik.dev/gate";

        /// <summary>On a Job: its Pods may talk to each other and to those of the Jobs of its namespace that say the same.</summary>
        public const string Peers = "fabrik.dev/peers";

        /// <summary>
        /// On a Job: the size of a volume that outlives its Pods, as a quantity. It is at <see cref="Paths.Resume"/> in each ordinary container and goes with the Job. Read once, when
        /// the Job is created.
        /// </summary>
        public const string Resume = "fabrik.dev/resume";

        /// <summary>On a namespace: comma-separated projects that its Jobs may name.</summary>
        public const string Projects = "fabrik.dev/projects";

        /// <summary>Written by Fabrik: the signed <see cref="Experiments.Assignment"/> as JSON. The only truth about an arm.</summary>
        public const string Assignment = "fabrik.dev/assignment";

        /// <summary>On the control plane's StatefulSet, written by whoever installs: the schema of the control database that its version knows.</summary>
        public const string DatabaseSchema = "fabrik.dev/database-schema";

        /// <summary>Beside it: how it was installed, as JSON, for an upgrade that is told nothing else.</summary>
        public const string InstallSettings = "fabrik.dev/install-settings";

        /// <summary>On a Secret with a certificate, by a person, any value: it is made anew; written away when that is done.</summary>
        public const string Rotate = "fabrik.dev/rotate";

        /// <summary>On the webhook configuration, by whoever uses cert-manager: that writes the caBundle, from a Certificate or a Secret.</summary>
        public const string InjectFrom = "cert-manager.io/inject-ca-from";
        public const string InjectFromSecret = "cert-manager.io/inject-ca-from-secret";

        /// <summary>On a Secret, by cert-manager: the Certificate from which it has filled it.</summary>
        public const string CertificateName = "cert-manager.io/certificate-name";

        /// <summary>Beside <see cref="Labels.Check"/>: HOST/PID of the command that made it.</summary>
        public const string CheckBy = "fabrik.dev/check-by";

        /// <summary>Of what only the simulated node reads.</summary>
        public const string SandboxPrefix = "sandbox.fabrik.dev/";

        /// <summary>On a Pod in the sandbox: how long it runs, as a Go duration or in seconds. Only the simulated node reads these.</summary>
        public const string SandboxDuration = "sandbox.fabrik.dev/duration";

        /// <summary>The memory it needs, as a quantity; above the container's limit it is killed.</summary>
        public const string SandboxMemory = "sandbox.fabrik.dev/memory";

        /// <summary>0 to 1, for each attempt.</summary>
        public const string SandboxFailureRate = "sandbox.fabrik.dev/failure-rate";

        /// <summary>This and <see cref="SandboxEvict"/> may be lists with commas: for the first Pod of a Job, the second, and the last for all further ones.</summary>
        public const string SandboxExitCode = "sandbox.fabrik.dev/exit-code";

        /// <summary>What it writes, as it is.</summary>
        public const string SandboxLog = "sandbox.fabrik.dev/log";

        /// <summary>"true" or the fraction of its duration after which the node evicts it.</summary>
        public const string SandboxEvict = "sandbox.fabrik.dev/evict";

        /// <summary>
        /// A path in a volume of a claim: it keeps there how far it has come, and the next Pod with the claim goes on from there and says so in its log.
        /// </summary>
        public const string SandboxCheckpoint = "sandbox.fabrik.dev/checkpoint";

        /// <summary>Calls of models that it makes: how many and of which, as <c>3 gpt-5-mini</c>. Real ones, with the address and key in its environment.</summary>
        public const string SandboxModelCalls = "sandbox.fabrik.dev/model-calls";

        /// <summary>"true": its image cannot be pulled.</summary>
        public const string SandboxUnpullable = "sandbox.fabrik.dev/unpullable";

        /// <summary>On the bookmark that ends the initial events of a streaming list.</summary>
        public const string InitialEventsEnd = "k8s.io/initial-events-end";
    }

    /// <summary>Fabrik's processes as app.kubernetes.io/component has them; of each that uses the control database one at a time may.</summary>
    public static class Components
    {
        public const string Api = "api";
        public const string Scheduler = "scheduler";
    }

    /// <summary>Types of the conditions in a status, written by the scheduler.</summary>
    public static class Conditions
    {
        /// <summary>On the policy: "False" while nothing can be written to the control database and the scheduler stands still; not there before it was so once.</summary>
        public const string StorageWritable = "StorageWritable";

        /// <summary>"True" while nothing goes on before a person approves or refuses; the message says why.</summary>
        public const string ApprovalRequired = "ApprovalRequired";

        /// <summary>Always "True": since when the change is in its phase, and why it came into it.</summary>
        public const string PhaseReached = "PhaseReached";
    }

    /// <summary>Keys of spec.evidence.figures: what was known when the change was proposed. Rates are fractions, money is EUR.</summary>
    public static class Figures
    {
        /// <summary>Rate of good outcomes now, and the one expected with the change.</summary>
        public const string Baseline = "baseline";
        public const string Expected = "expected";
        public const string RunsPerDay = "runsPerDay";

        /// <summary>Cost of a run with the change over the cost of one without.</summary>
        public const string CostRatio = "costRatio";

        /// <summary>Expected gain per day; what waits is tried in this order.</summary>
        public const string Value = "value";

        /// <summary>Of the resource that changes: bytes of memory, or thousandths of a core.</summary>
        public const string CurrentBytes = "currentBytes";
        public const string ProposedBytes = "proposedBytes";
        public const string CurrentMillis = "currentMillis";
        public const string ProposedMillis = "proposedMillis";

        /// <summary>Of the runs until now, and what they needed.</summary>
        public const string OomRate = "oomRate";
        public const string MedianBytes = "medianBytes";
        public const string P95Bytes = "p95Bytes";

        /// <summary>Money a day that less is spent on resources.</summary>
        public const string SavingPerDay = "savingPerDay";

        /// <summary>Runs and days until a decision: at the median, and days in 90 of 100 cases.</summary>
        public const string ForecastRuns = "forecastRuns";
        public const string ForecastRuns90 = "forecastRuns90";
        public const string ForecastDays = "forecastDays";
        public const string ForecastDays90 = "forecastDays90";
    }

    /// <summary>Environment variables of the processes. Files hold secrets; nothing secret is passed by value.</summary>
    public static class Variables
    {
        public const string WebhookPort = "FABRIK_WEBHOOK_PORT";
        public const string MetricsPort = "FABRIK_METRICS_PORT";

        /// <summary>Whole seconds in which requests are still taken after readiness has gone.</summary>
        public const string DrainSeconds = "FABRIK_DRAIN_SECONDS";

        /// <summary>Of the gateway: whole seconds that open calls have after that.</summary>
        public const string StreamSeconds = "FABRIK_STREAM_SECONDS";
        public const string TlsDirectory = "FABRIK_TLS_DIR";

        /// <summary>Of the webhook in a cluster: Secret in <see cref="SystemNamespace"/> whose tls.crt and tls.key it serves with, read through the API. Without it the directory counts.</summary>
        public const string TlsSecret = "FABRIK_TLS_SECRET";
        public const string AssignmentKeyFile = "FABRIK_ASSIGNMENT_KEY_FILE";

        /// <summary>Of the webhook: the image of the gate in Pods of runs, where the policy names none; without it <see cref="Images.Gate"/>.</summary>
        public const string GateImage = "FABRIK_GATE_IMAGE";

        /// <summary>Where runs reach the LLM gateway, such as https://gateway.fabrik-gateway:8443; without it no Job gets a run token.</summary>
        public const string GatewayUrl = "FABRIK_GATEWAY_URL";

        /// <summary>Keys that sign run tokens, for webhook and gateway; another secret than the assignments'.</summary>
        public const string RunTokenKeyFile = "FABRIK_RUN_TOKEN_KEY_FILE";
        public const string DataDirectory = "FABRIK_DATA_DIR";
        public const string ApiPort = "FABRIK_API_PORT";

        /// <summary>Where Prometheus is asked what runs used, such as http://prometheus.monitoring:9090; a path before /api/v1 belongs to it.</summary>
        public const string PrometheusUrl = "FABRIK_PROMETHEUS_URL";

        /// <summary>A bearer token, or a name and the file of its password; never both. Files are read again with each request.</summary>
        public const string PrometheusTokenFile = "FABRIK_PROMETHEUS_TOKEN_FILE";
        public const string PrometheusUsername = "FABRIK_PROMETHEUS_USERNAME";
        public const string PrometheusPasswordFile = "FABRIK_PROMETHEUS_PASSWORD_FILE";

        /// <summary>PEM of the authorities that may have issued Prometheus' certificate; without it the operating system's count.</summary>
        public const string PrometheusCaFile = "FABRIK_PROMETHEUS_CA_FILE";

        /// <summary>A file with what resources cost, as JSON: validFrom, currency, cpuHour, memoryHour (of a GiB), source.</summary>
        public const string PriceBook = "FABRIK_PRICE_BOOK";

        /// <summary>How many days the ledger keeps single attempts at models; 90 without it, and never fewer than 61.</summary>
        public const string CallDays = "FABRIK_CALL_DAYS";

        /// <summary>Of the gateway: its port, its configuration, a directory with a file for each provider key, virtual keys, its own prices, its spool.</summary>
        public const string GatewayPort = "FABRIK_GATEWAY_PORT";
        public const string GatewayConfig = "FABRIK_GATEWAY_CONFIG";
        public const string ProviderKeyDirectory = "FABRIK_PROVIDER_KEY_DIR";
        public const string VirtualKeyFile = "FABRIK_VIRTUAL_KEY_FILE";
        public const string ModelPrices = "FABRIK_MODEL_PRICES";
        public const string SpoolDirectory = "FABRIK_SPOOL_DIR";

        /// <summary>Where the gateway sends usage, and PEM of the authority that the API's certificate is from.</summary>
        public const string ApiUrl = "FABRIK_API_URL";
        public const string ApiCaFile = "FABRIK_API_CA_FILE";
        public const string ApiTokenFile = "FABRIK_API_TOKEN_FILE";

        /// <summary>OpenTelemetry's own: base URL of a collector that takes OTLP over HTTP.</summary>
        public const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
        public const string Kubeconfig = "KUBECONFIG";
        public const string Server = "FABRIK_SERVER";
        public const string TokenFile = "FABRIK_TOKEN_FILE";
        public const string EndToEndKubeconfig = "FABRIK_E2E_KUBECONFIG";

        /// <summary>The address of this machine by which that cluster's API server and Pods reach the tests; without it the one from which the API server is reached.</summary>
        public const string EndToEndAddress = "FABRIK_E2E_ADDRESS";

        /// <summary>The k3s that tests start where a container engine answers, such as docker.io/rancher/k3s:v1.36.2-k3s1.</summary>
        public const string K3sImage = "FABRIK_K3S_IMAGE";
        public const string UpdateGolden = "FABRIK_UPDATE_GOLDEN";

        /// <summary>How often the tests kill a gateway, or the API and the scheduler, under load.</summary>
        public const string Kills = "FABRIK_KILLS";

        /// <summary>How many Jobs the tests create while everything else fails.</summary>
        public const string StormJobs = "FABRIK_STORM_JOBS";

        /// <summary>In each ordinary container of a Job with <see cref="Annotations.Resume"/>: <see cref="Paths.Resume"/>. Without it there is no such volume.</summary>
        public const string ResumeDirectory = "FABRIK_RESUME_DIR";

        /// <summary>Set in every Pod by Kubernetes: where the API server is.</summary>
        public const string KubernetesServiceHost = "KUBERNETES_SERVICE_HOST";
        public const string KubernetesServicePort = "KUBERNETES_SERVICE_PORT";

        /// <summary>What a credential plugin is told, as JSON.</summary>
        public const string KubernetesExecInfo = "KUBERNETES_EXEC_INFO";
    }

    /// <summary>Environment variables that the providers' own clients read, as containers get them for the LLM gateway.</summary>
    public static class ClientVariables
    {
        public const string OpenAiKey = "OPENAI_API_KEY";
        public const string OpenAiUrl = "OPENAI_BASE_URL";
        public const string AnthropicKey = "ANTHROPIC_API_KEY";
        public const string AnthropicUrl = "ANTHROPIC_BASE_URL";

        /// <summary>Read beside the key: a container that has it gets no other credential.</summary>
        public const string AnthropicToken = "ANTHROPIC_AUTH_TOKEN";
    }

    public static class Paths
    {
        public const string MutateJobs = "/mutate/jobs";

        /// <summary>Of the LLM gateway, behind its own address: what each provider's client takes as its base.</summary>
        public const string GatewayOpenAi = "/openai/v1";
        public const string GatewayAnthropic = "/anthropic";
        public const string GatewayStatus = "/statusz";
        public const string Live = "/livez";
        public const string Ready = "/readyz";
        public const string Metrics = "/metrics";

        /// <summary>Of an API server.</summary>
        public const string Version = "/version";
        public const string Runs = "/api/v1/runs";
        public const string Experiments = "/api/v1/experiments";
        public const string Decisions = "/api/v1/decisions";
        public const string Incidents = "/api/v1/incidents";
        public const string Usage = "/api/v1/usage";
        public const string Leases = "/api/v1/leases";
        public const string Budgets = "/api/v1/budgets";
        public const string RunEnds = "/api/v1/run-ends";
        public const string Database = "/api/v1/database";
        public const string Audit = "/api/v1/audit";

        /// <summary>Of Prometheus, behind its own address.</summary>
        public const string PrometheusQuery = "api/v1/query";
        public const string PrometheusQueryRange = "api/v1/query_range";

        /// <summary>Of a kubelet, without disks and networks; reached through the API server behind /api/v1/nodes/NAME/proxy.</summary>
        public const string KubeletSummary = "/stats/summary?only_cpu_and_memory=true";
        public const string OpenApi = "/openapi/v1.json";

        /// <summary>In containers: where the volume is that outlives a Pod.</summary>
        public const string Resume = "/fabrik/resume";

        /// <summary>Directory in every Pod with token, ca.crt and namespace.</summary>
        public const string ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
    }

    /// <summary>Resources of <see cref="Group"/> that no API server serves: what callers of Fabrik's own API are permitted by RBAC.</summary>
    public static class Resources
    {
        /// <summary>get and list: runs, experiments, decisions, the audit record, budgets and totals of usage.</summary>
        public const string Runs = "runs";

        /// <summary>create: deliver the ledger of model calls, be leased budgets and be told which runs have ended.</summary>
        public const string Usage = "usage";
    }

    public static class Meters
    {
        public const string Webhook = "Fabrik.Webhook";
        public const string CronJobs = "Fabrik.CronJobs";
        public const string Api = "Fabrik.Api";
        public const string Proxy = "Fabrik.Proxy";
    }

    /// <summary>Of the gateway's answers.</summary>
    public static class Headers
    {
        /// <summary>Of a call, over all its attempts: what the ledger has it by.</summary>
        public const string Operation = "fabrik-operation-id";

        /// <summary>Amount and currency, as 0.001200 USD. Not with streams, whose cost is known at their end only.</summary>
        public const string Cost = "fabrik-cost";
        public const string InputTokens = "fabrik-input-tokens";

        /// <summary>Of the hard budget that is nearest to its end: name, amount that was left before the call was made, and currency.</summary>
        public const string BudgetLeft = "fabrik-budget-left";
        public const string OutputTokens = "fabrik-output-tokens";

        /// <summary>Of a request: the one provider to be asked. Only <c>fabrik gateway test</c> may say so, whose token is of the gateway's own namespace.</summary>
        public const string Provider = "fabrik-provider";

        /// <summary>Asks the official clients to try again or not, before they look at the status.</summary>
        public const string ShouldRetry = "x-should-retry";
    }

    /// <summary>As instruments; exposed with underscores, unit and, for counters, _total.</summary>
    public static class Metrics
    {
        public const string WebhookReviews = "fabrik.webhook.reviews";
        public const string WebhookReviewDuration = "fabrik.webhook.review.duration";
        public const string WebhookWarnings = "fabrik.webhook.warnings";
        public const string WebhookSkipped = "fabrik.webhook.skipped";
        public const string WebhookRefused = "fabrik.webhook.refused";
        public const string WebhookSnapshotAge = "fabrik.webhook.snapshot.age";
        public const string WebhookSnapshotObjects = "fabrik.webhook.snapshot.objects";
        public const string WebhookSnapshotProblems = "fabrik.webhook.snapshot.problems";
        public const string WebhookStopped = "fabrik.webhook.stopped";
        public const string WebhookCertificateExpiry = "fabrik.webhook.certificate.expiry";

        /// <summary>Seconds since 1970, by certificate (authority, webhook, api): the replica that keeps certificates has it.</summary>
        public const string CertificateExpiry = "fabrik.certificate.expiry.timestamp";

        /// <summary>Made anew, by certificate.</summary>
        public const string CertificateRotations = "fabrik.certificate.rotations";

        /// <summary>Looks of the keeper of certificates that failed.</summary>
        public const string CertificateFailures = "fabrik.certificate.failures";
        public const string ModelCallEvents = "fabrik.api.usage.events";
        public const string ExperimentAlerts = "fabrik.experiment.alerts";
        public const string UsageSettled = "fabrik.usage.settled";
        public const string UsageFailures = "fabrik.usage.failures";
        public const string UsageDuration = "fabrik.usage.request.duration";
        public const string UsageSourceUp = "fabrik.usage.source.up";
        public const string UsageWaiting = "fabrik.usage.waiting";
        public const string GatewayRefused = "fabrik.gateway.refused";
        public const string GatewayRewritten = "fabrik.gateway.rewritten";
        public const string GatewayAttempts = "fabrik.gateway.attempts";
        public const string GatewayFailures = "fabrik.gateway.provider.failures";
        public const string GatewayCost = "fabrik.gateway.cost";
        public const string GatewayBudgetUsed = "fabrik.gateway.budget.used";
        public const string GatewaySpoolSegments = "fabrik.gateway.spool.segments";
        public const string GatewayRunEndsTold = "fabrik.gateway.run.ends.timestamp";
        public const string GatewayUsageSent = "fabrik.gateway.usage.sent";
        public const string GatewayUsageRefused = "fabrik.gateway.usage.refused";
        public const string StorageWritable = "fabrik.storage.writable";
        public const string OptimizerTransitions = "fabrik.optimizer.transitions";
        public const string OptimizerChanges = "fabrik.optimizer.changes";
        public const string OptimizerProposals = "fabrik.optimizer.proposals";
        public const string OptimizerIncidents = "fabrik.optimizer.incidents.open";
    }

    /// <summary>ClusterRoles for people.</summary>
    public static class Roles
    {
        /// <summary>Runs Jobs in the namespaces that it is bound in.</summary>
        public const string Runner = "fabrik-runner";
    }

    public static class Images
    {
        /// <summary>Where images are, if no mirror is named.</summary>
        public const string Registry = "ghcr.io/fabrik-dev/";

        /// <summary>Of the version that is built; an installation names its own in <see cref="Variables.GateImage"/>.</summary>
        public static readonly string Gate = $"{Registry}fabrik-gate:{typeof(Names).Assembly.GetName().Version?.ToString(3)}";
    }

    /// <summary>In the checkout.</summary>
    public static class Documents
    {
        public const string Errors = "docs/errors.md";
        public const string Gateway = "docs/gateway.md";
        public const string Troubleshooting = "docs/troubleshooting.md";
        public const string Runbook = "docs/runbook.md";
        public const string Surviving = "docs/surviving.md";
        public const string Certificates = "docs/certificates.md";
    }

    /// <summary>In <see cref="SystemNamespace"/>.</summary>
    public static class Objects
    {
        /// <summary>ConfigMap with keys server and certificate-authority-data (base64 PEM): where the command finds the API.</summary>
        public const string ApiDiscovery = "fabrik-api";

        /// <summary>ServiceAccount whose short-lived token (audience <see cref="Audience"/>) the command presents to the API.</summary>
        public const string Reader = "fabrik-reader";

        /// <summary>Of the webhook: Deployment, Service, ServiceAccount and roles.</summary>
        public const string Webhook = "fabrik-webhook";

        /// <summary>Of API and scheduler: StatefulSet, ServiceAccount and roles.</summary>
        public const string Control = "fabrik-control";
        public const string WebhookConfiguration = "fabrik-webhook";
        public const string WebhookService = "fabrik-webhook";
        public const string ApiService = "fabrik-api";

        /// <summary>Lease of the webhook's replica that keeps certificates and keys.</summary>
        public const string CertificateKeeper = "fabrik-webhook";

        /// <summary>Secrets with the authority, and with what the webhook and the API serve with.</summary>
        public const string AuthoritySecret = "fabrik-ca";
        public const string WebhookTlsSecret = "fabrik-webhook-tls";
        public const string ApiTlsSecret = "fabrik-api-tls";
        public const string AssignmentKeySecret = "fabrik-assignment-key";

        /// <summary>The Certificate from which cert-manager takes the webhook's caBundle; its Secret is <see cref="WebhookTlsSecret"/>.</summary>
        public const string WebhookCertificate = "fabrik-webhook";

        /// <summary>In <see cref="GatewayNamespace"/>: ConfigMap by which the gateway trusts the API.</summary>
        public const string GatewayTrust = "fabrik-ca";
        public const string Leader = "fabrik-leader";

        /// <summary>ValidatingAdmissionPolicies of untrusted runs: of Jobs' deadlines and records, and of images and root file systems.</summary>
        public const string RunJobsPolicy = "fabrik-run-jobs";
        public const string RunImagesPolicy = "fabrik-run-images";

        /// <summary>In Jobs: the volume for /tmp, and the init container that waits for the network policy.</summary>
        public const string TmpVolume = "fabrik-tmp";
        public const string GateContainer = "fabrik-gate";

        /// <summary>In Jobs: the volume that outlives their Pods. Its claim has this name too, a dash and the run's id.</summary>
        public const string ResumeVolume = "fabrik-resume";

        /// <summary>In <see cref="GatewayNamespace"/>: Secret with a key of its data for each provider key.</summary>
        public const string ProviderKeys = "fabrik-provider-keys";

        /// <summary>In <see cref="GatewayNamespace"/>: Secret with the hashes of virtual keys, and the key of its data under which they stand.</summary>
        public const string VirtualKeySecret = "fabrik-virtual-keys";
        public const string VirtualKeyFile = "keys.json";

        /// <summary>In <see cref="GatewayNamespace"/>: Secret with the keys of run tokens, and the key of its data under which they stand.</summary>
        public const string RunTokenKeySecret = "fabrik-run-token-key";
        public const string RunTokenKeyFile = "key";

        /// <summary>Key of <see cref="ApiDiscovery"/>: where the command reaches the gateway.</summary>
        public const string GatewayAddress = "gateway";

        /// <summary>In namespaces of runs: ResourceQuota, LimitRange and RoleBinding.</summary>
        public const string Runs = "fabrik-runs";

        /// <summary>In <see cref="GatewayNamespace"/>: the gateway's Service, its ServiceAccount, and the ClusterRole with its binding.</summary>
        public const string Gateway = "fabrik-gateway";
    }
}
