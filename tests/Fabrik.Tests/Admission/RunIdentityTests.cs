using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Gateway;
using static Fabrik.Tests.Admission.GatewayReviews;

namespace Fabrik.Tests.Admission;

/// <summary>Which Jobs get a run token, in which of their containers, and what becomes of one that came with a copy.</summary>
public class RunIdentityTests
{
    [Theory]
    [InlineData(null, null, null, null, AdmissionReasons.NotOptedIn, false)]
    [InlineData("true", null, null, null, AdmissionReasons.Assigned, false)]
    [InlineData("true", "true", null, null, AdmissionReasons.Assigned, true)]
    [InlineData("true", "true", null, "false", AdmissionReasons.Assigned, false)]
    [InlineData("true", "true", "false", null, AdmissionReasons.Identified, true)]
    [InlineData("true", "true", "false", "false", AdmissionReasons.OptedOut, false)]
    [InlineData("true", "yes", null, null, AdmissionReasons.Assigned, false)]
    [InlineData(null, "true", null, null, AdmissionReasons.Identified, true)]
    [InlineData(null, "true", "true", null, AdmissionReasons.Assigned, true)]
    [InlineData(null, "true", null, "false", AdmissionReasons.NotOptedIn, false)]
    [InlineData(null, null, null, "true", AdmissionReasons.Identified, true)]
    [InlineData(null, null, "true", "true", AdmissionReasons.Assigned, true)]
    [InlineData(null, null, "false", "true", AdmissionReasons.Identified, true)]
    [InlineData(null, null, null, "yes", AdmissionReasons.NotOptedIn, false)]
    public void Optimising_and_the_gateway_are_opted_into_apart_and_the_Job_has_the_last_word(string? enabled, string? gateway, string? optimize, string? own, string reason, bool token)
    {
        var labels = new List<string>();
        if (enabled is not null) labels.Add($"\"fabrik.dev/enabled\": \"{enabled}\"");
        if (gateway is not null) labels.Add($"\"fabrik.dev/gateway\": \"{gateway}\"");
        var job = Job();
        var annotations = job["metadata"]!["annotations"] = new JsonObject();
        if (optimize is not null) annotations[Names.Annotations.Optimize] = optimize;
        if (own is not null) annotations[Names.Annotations.Gateway] = own;

        var reviewed = Review(job, Snapshot(string.Join(", ", labels)));

        reviewed.Outcome.Reason.ShouldBe(reason);
        (Tokens(reviewed).Length > 0).ShouldBe(token);
        (reviewed.After["metadata"]!["labels"]?[Names.Labels.RunId] is not null).ShouldBe(reason is AdmissionReasons.Assigned or AdmissionReasons.Identified);
    }

    [Fact]
    public void Without_an_address_of_the_gateway_nobody_gets_a_token()
    {
        var reviewed = Review(Job(), Snapshots.Of("""{"namespaces": {"ci": {"fabrik.dev/gateway": "true", "fabrik.dev/enabled": "true"}}}"""));
        reviewed.Outcome.Reason.ShouldBe(AdmissionReasons.Assigned);
        Tokens(reviewed).ShouldBeEmpty();
        Review(Job(), Snapshots.Of("""{"namespaces": {"ci": {"fabrik.dev/gateway": "true"}}}""")).Outcome.Reason.ShouldBe(AdmissionReasons.NotOptedIn);
    }

    [Fact]
    public void A_token_says_run_namespace_task_and_that_the_Job_is_in_no_arm()
    {
        var job = Job();
        job["metadata"]!["labels"] = new JsonObject { [Names.Labels.SpecType] = "nightly", [Names.Labels.Complexity] = "hard" };

        var reviewed = Review(job, GatewayAlone);

        Claims(reviewed).ShouldBe(new RunClaims(RunId(reviewed), "ci", null, null, null, "nightly", "hard", Reviewed.Now.AddDays(30)));
        reviewed.Assignment!.Arm.ShouldBe(Arm.Unassigned);
        reviewed.After["metadata"]!["labels"]![Names.Labels.Variant].ShouldBeNull();
    }

    [Theory]
    [InlineData("slot0", "treatment", "memory")]
    [InlineData("slot1", "treatment", "cheaper")]
    [InlineData("control", "control", "memory")]
    [InlineData("holdout", "holdout", null)]
    public void A_token_carries_the_arm_as_drawn_and_its_change(string bucket, string arm, string? change)
    {
        var snapshot = Snapshot(
            "\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\", \"permit.fabrik.dev/model\": \"true\"",
            """, "changes": [{"name": "memory", "slot": 0, "share": 0.1, "change": {"memoryLimit": "4Gi"}}, {"name": "cheaper", "slot": 1, "share": 0.1, "type": "model", "target": {"model": "large"}, "change": {"model": "small"}}]""");

        var claims = Claims(Review(Job(), snapshot, bucket));

        (claims.Arm, claims.Change).ShouldBe((arm, change));
    }

    [Fact]
    public void A_change_of_model_alters_nothing_of_the_Job_and_is_for_those_in_the_gateway_alone()
    {
        const string Changes = """, "changes": [{"name": "cheaper", "slot": 0, "share": 0.1, "type": "model", "target": {"model": "large"}, "change": {"model": "small"}}]""";
        var reviewed = Review(Job(), Snapshot("\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\", \"permit.fabrik.dev/model\": \"true\"", Changes), "slot0");
        reviewed.Outcome.Arm.ShouldBe(Arm.Treatment);
        Claims(reviewed).Models.ShouldBe([new ModelRewrite("large", "small")]);
        reviewed.Assignment!.Written.ShouldAllBe(written => written.Variable != null);
        Review(Job(), Snapshot("\"fabrik.dev/enabled\": \"true\", \"permit.fabrik.dev/model\": \"true\"", Changes), "slot0").Outcome.ShouldSatisfyAllConditions(
            outcome => outcome.Arm.ShouldBe(Arm.None), outcome => outcome.Skipped.ShouldBe(AdmissionReasons.NotInGateway));

        Review(Job(), Snapshot("\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\"", Changes), "slot0").Outcome.Skipped.ShouldBe(AdmissionReasons.NotPermitted);

        var own = Job("OPENAI_API_KEY=mine", "ANTHROPIC_API_KEY=mine");
        Review(own, Snapshot("\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\", \"permit.fabrik.dev/model\": \"true\"", Changes), "slot0").Outcome.Arm.ShouldBe(Arm.None);
    }

    [Theory]
    [InlineData("", "OPENAI_API_KEY=T OPENAI_BASE_URL=U ANTHROPIC_API_KEY=T ANTHROPIC_BASE_URL=U")]
    [InlineData("A=1", "A=1 OPENAI_API_KEY=T OPENAI_BASE_URL=U ANTHROPIC_API_KEY=T ANTHROPIC_BASE_URL=U")]
    [InlineData("OPENAI_API_KEY=mine", "OPENAI_API_KEY=mine ANTHROPIC_API_KEY=T ANTHROPIC_BASE_URL=U")]
    [InlineData("OPENAI_API_KEY=", "OPENAI_API_KEY= ANTHROPIC_API_KEY=T ANTHROPIC_BASE_URL=U")]
    [InlineData("OPENAI_BASE_URL=http://x", "OPENAI_BASE_URL=http://x ANTHROPIC_API_KEY=T ANTHROPIC_BASE_URL=U")]
    [InlineData("ANTHROPIC_API_KEY=mine", "ANTHROPIC_API_KEY=mine OPENAI_API_KEY=T OPENAI_BASE_URL=U")]
    [InlineData("ANTHROPIC_BASE_URL=http://x", "ANTHROPIC_BASE_URL=http://x OPENAI_API_KEY=T OPENAI_BASE_URL=U")]
    [InlineData("ANTHROPIC_AUTH_TOKEN=mine", "ANTHROPIC_AUTH_TOKEN=mine OPENAI_API_KEY=T OPENAI_BASE_URL=U")]
    public void A_pair_is_added_at_the_end_and_only_where_the_container_has_neither(string before, string after)
    {
        var reviewed = Review(Job(before.Split(' ', StringSplitOptions.RemoveEmptyEntries)), GatewayAlone);
        string.Join(' ', Environment(reviewed, "containers", 0)).ShouldBe(after);
    }

    [Fact]
    public void A_container_that_takes_all_it_is_given_by_envFrom_or_a_secret_is_left_alone_and_a_Job_of_such_is_untouched()
    {
        var job = Job();
        Container(job)["envFrom"] = new JsonArray(new JsonObject { ["secretRef"] = new JsonObject { ["name"] = "keys" } });
        var reviewed = Review(job, GatewayAlone);
        reviewed.Outcome.ShouldBe(new AdmissionOutcome(AdmissionResult.Untouched, AdmissionReasons.OwnCredentials, "CREATE"));
        Review(job, Both).Outcome.Skipped.ShouldBe(AdmissionReasons.OwnCredentials);

        var secret = Job();
        Container(secret)["env"] = new JsonArray(new JsonObject { ["name"] = "OPENAI_API_KEY", ["valueFrom"] = new JsonObject { ["secretKeyRef"] = new JsonObject { ["name"] = "k", ["key"] = "k" } } });
        Environment(Review(secret, GatewayAlone), "containers", 0).ShouldBe(["OPENAI_API_KEY=", "ANTHROPIC_API_KEY=T", "ANTHROPIC_BASE_URL=U"]);
    }

    [Fact]
    public void Init_containers_and_every_further_container_get_the_same_token()
    {
        var job = Job();
        var pod = job["spec"]!["template"]!["spec"]!;
        pod["containers"]!.AsArray().Add(new JsonObject { ["name"] = "second", ["image"] = "x" });
        pod["initContainers"] = new JsonArray(new JsonObject { ["name"] = "first", ["image"] = "x", ["env"] = new JsonArray() });

        var reviewed = Review(job, GatewayAlone);

        Tokens(reviewed).Length.ShouldBe(6);
        Tokens(reviewed).Distinct().ShouldHaveSingleItem();
        Values(reviewed, Names.ClientVariables.OpenAiUrl).ShouldAllBe(value => value == OpenAi);
        Values(reviewed, Names.ClientVariables.AnthropicUrl).ShouldAllBe(value => value == Anthropic);
    }

    [Fact]
    public void A_dry_run_shows_the_place_of_a_token_and_none_that_works()
    {
        var reviewed = Review(Job(), GatewayAlone, isDryRun: true);
        Tokens(reviewed).ShouldBe(["dry-run", "dry-run"]);
        RunToken.Verify(Tokens(reviewed)[0], Reviewed.TokenKeys, Reviewed.Now, out _).ShouldBe(TokenVerdict.DryRun);

        // Its output, created, is a copy like any other.
        Claims(Review(reviewed.After, GatewayAlone, "rest")).RunId.ShouldNotBe(RunId(reviewed));
        foreach (var field in (string[])["labels", "annotations"]) reviewed.After["metadata"]!.AsObject().Remove(field);
        reviewed.After["spec"]!["template"]!.AsObject().Remove("metadata");
        Claims(Review(reviewed.After, GatewayAlone, "rest")).ShouldNotBeNull();
    }

    [Fact]
    public void A_value_that_reads_dry_run_at_another_address_is_the_users_own() =>
        Environment(Review(Job("OPENAI_API_KEY=dry-run", "OPENAI_BASE_URL=http://fake"), GatewayAlone), "containers", 0)
            .ShouldBe(["OPENAI_API_KEY=dry-run", "OPENAI_BASE_URL=http://fake", "ANTHROPIC_API_KEY=T", "ANTHROPIC_BASE_URL=U"]);

    [Fact]
    public void No_token_stands_in_the_record_that_people_are_shown()
    {
        var reviewed = Review(Job(), Both);
        reviewed.After["metadata"]!["annotations"]!.ToJsonString().ShouldNotContain(Tokens(reviewed)[0][..40]);
        reviewed.Assignment!.Written.Select(written => (written.Variable, written.To.GetString())).ShouldBe(
            [("OPENAI_API_KEY", "fbk-run-1."), ("OPENAI_BASE_URL", OpenAi), ("ANTHROPIC_API_KEY", "fbk-run-1."), ("ANTHROPIC_BASE_URL", Anthropic)]);
    }

    [Fact]
    public void While_nothing_new_is_heard_of_changes_runs_still_get_their_token_and_no_arm()
    {
        var reviewed = Review(Job(), Both, staleness: AdmissionSnapshot.AppliedFreshFor + TimeSpan.FromSeconds(1));
        reviewed.Outcome.ShouldBe(new AdmissionOutcome(AdmissionResult.Patched, AdmissionReasons.Stale, "CREATE"));
        Claims(reviewed).Arm.ShouldBeNull();
    }

    [Theory]
    [InlineData(null, null, null, null, null)]
    [InlineData("own", null, null, "own", null)]
    [InlineData("own", null, "own", "own", null)]
    [InlineData("own", "a, b,c", "b", "b", null)]
    [InlineData(null, "a", "a", "a", null)]
    [InlineData("own", "a", "b", "own", AdmissionReasons.ProjectNotListed)]
    [InlineData(null, null, "b", null, AdmissionReasons.ProjectNotListed)]
    [InlineData("own", "a,b", "a,b", "own", AdmissionReasons.ProjectNotListed)]
    [InlineData("own", null, "", "own", null)]
    public void A_project_is_the_namespaces_unless_the_Job_names_one_of_its_list(string? own, string? listed, string? named, string? project, string? skipped)
    {
        var label = own is null ? "" : $", \"fabrik.dev/project\": \"{own}\"";
        var job = Job();
        if (named is not null) job["metadata"]!["labels"] = new JsonObject { [Names.Labels.Project] = named };

        var reviewed = Review(job, Snapshot("\"fabrik.dev/gateway\": \"true\"" + label, listed is null ? "" : $$""", "projects": {"ci": "{{listed}}"}"""));

        Claims(reviewed).Project.ShouldBe(project);
        reviewed.Outcome.Skipped.ShouldBe(skipped);
    }

    [Fact]
    public void Labels_that_no_API_server_would_take_do_not_reach_the_token()
    {
        var job = Job();
        job["metadata"]!["labels"] = new JsonObject { [Names.Labels.SpecType] = new string('x', 70_000), [Names.Labels.Complexity] = "a b", [Names.Labels.Project] = new string('p', 64) };
        var claims = Claims(Review(job, GatewayAlone));
        (claims.TaskType, claims.Complexity, claims.Project).ShouldBe((null, null, null));
    }

    [Fact]
    public void The_longest_claims_that_labels_allow_fit_into_a_token()
    {
        var longest = new string('x', 63);
        var claims = new RunClaims(new string('r', 26), longest, longest, "treatment", longest, longest, longest, Reviewed.Now);
        RunToken.Mint(claims, Reviewed.TokenKeys).Length.ShouldBeLessThan(RunToken.MaximumLength / 2);
    }

    /// <summary>Longer than a token has room for: the experiment's model stays, and what is left out is said.</summary>
    [Fact]
    public void However_many_models_are_rolled_out_the_token_is_no_longer_than_allowed_and_has_the_experiments_first()
    {
        var applied = Enumerable.Range(0, 12).Select(number => $$$"""{"name": "applied-{{{number}}}", "phase": "applied", "type": "model", "target": {"model": "{{{new string('m', 100)}}}{{{number}}}"}, "change": {"model": "small"}}""");
        var tried = """{"name": "tried", "slot": 0, "share": 0.1, "type": "model", "target": {"model": "large"}, "change": {"model": "small"}}""";
        var snapshot = Snapshot(
            "\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\", \"permit.fabrik.dev/model\": \"true\"",
            $$""", "changes": [{{string.Join(",", applied.Append(tried))}}]""");
        var reviewed = Review(Job(), snapshot, "slot0");
        var models = Claims(reviewed).Models;
        models[0].From.ShouldBe("large");
        models.Count.ShouldBeInRange(2, 10);
        reviewed.Outcome.Skipped.ShouldBe(AdmissionReasons.TooLarge);
    }
}
