using System.CommandLine;
using Fabrik.Cli.Output;

namespace Fabrik.Cli.Commands;

/// <summary>Scripts that ask the command itself what could come next, through the parser's suggest directive.</summary>
public static class CompletionCommand
{
    private const string Bash = """
        # Put this into your shell: source <(fabrik completion bash)
        _fabrik() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(fabrik "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -F _fabrik fabrik
        """;

    private const string Zsh = """
        #compdef fabrik
        # Put this into your shell: source <(fabrik completion zsh)
        _fabrik() {
            local -a found
            found=(${(f)"$(fabrik "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)"})
            compadd -- $found
        }
        compdef _fabrik fabrik
        """;

    private const string Fish = """
        # Put this into your shell: fabrik completion fish | source
        complete -c fabrik -f -a '(fabrik "[suggest:"(commandline -C)"]" (commandline -cp) 2>/dev/null)'
        """;

    private const string PowerShell = """
        # Put this into your shell: fabrik completion pwsh | Out-String | Invoke-Expression
        Register-ArgumentCompleter -Native -CommandName fabrik -ScriptBlock {
            param($word, $line, $position)
            fabrik "[suggest:$position]" "$line" | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
        }
        """;

    private const string Kubectl = """
        #!/bin/sh
        # Save this on your PATH as kubectl_complete-fabrik, executable, beside kubectl-fabrik (a link to fabrik).
        fabrik "[suggest]" "fabrik $*" 2>/dev/null
        echo ":4"
        """;

    public static Command Create(Terminal terminal)
    {
        var command = new Command("completion", "Print the completion script of a shell");
        foreach (var (shell, script) in new[] { ("bash", Bash), ("zsh", Zsh), ("fish", Fish), ("pwsh", PowerShell), ("kubectl", Kubectl) })
        {
            var child = new Command(shell, $"Completion for {shell}");
            child.SetAction(_ => terminal.Out.WriteLine(script));
            command.Subcommands.Add(child);
        }

        return command;
    }
}
