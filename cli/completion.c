#include "cli/commands.h"
#include "cli/invocation.h"
#include "cli/value.h"

/* The scripts only carry words to `jarvis __complete` and candidates back: what there is to
 * complete is known to the tables of the program alone. */

/* bash takes = and : for words of their own; here they are put together again. */
static const char bash[] =
	"# bash completion for jarvis, printed by: jarvis completion bash\n"
	"_jarvis() {\n"
	"\tlocal words=() word glued='' line cut=0 i\n"
	"\tfor ((i = 1; i <= COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $word == [=:]* && ${#words[@]} -gt 0 ]]; then\n"
	"\t\t\twords[-1]+=$word\n"
	"\t\t\tglued=1\n"
	"\t\telif [[ -n $glued ]]; then\n"
	"\t\t\twords[-1]+=$word\n"
	"\t\t\tglued=''\n"
	"\t\telse\n"
	"\t\t\twords+=(\"$word\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tword=${words[-1]:-}\n"
	"\tline=${word#*=}\n"
	"\t[[ $word == --*=* && $COMP_WORDBREAKS == *=* ]] && cut=$((${#word} - ${#line}))\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tif [[ $line == :files ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\twhile IFS= read -r line; do\n"
	"\t\t\t\tCOMPREPLY+=(\"$line\")\n"
	"\t\t\tdone < <(compgen -f -- \"${word:cut}\")\n"
	"\t\telse\n"
	"\t\t\tline=${line%%$'\\t'*}\n"
	"\t\t\tCOMPREPLY+=(\"${line:cut}\")\n"
	"\t\tfi\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" __complete -- \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _jarvis jarvis\n";

static const char zsh[] =
	"#compdef jarvis\n"
	"# zsh completion for jarvis, printed by: jarvis completion zsh\n"
	"_jarvis() {\n"
	"\tlocal line files=\n"
	"\tlocal -a lines candidates\n"
	"\tlines=(\"${(@f)$(\"${(Q)words[1]}\" __complete -- \"${(@Q)words[2,CURRENT]}\" "
	"2>/dev/null)}\")\n"
	"\tfor line in $lines; do\n"
	"\t\tif [[ $line == :files ]]; then\n"
	"\t\t\tfiles=1\n"
	"\t\telif [[ $line == *$'\\t'* ]]; then\n"
	"\t\t\tcandidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	"\t\telse\n"
	"\t\t\tcandidates+=(\"${line//:/\\\\:}\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t(( $#candidates )) && _describe 'jarvis' candidates\n"
	"\tif [[ -n $files ]]; then\n"
	"\t\tcompset -P '--*='\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if [[ $funcstack[1] == _jarvis ]]; then\n"
	"\t_jarvis \"$@\"\n"
	"else\n"
	"\tcompdef _jarvis jarvis\n"
	"fi\n";

static const char fish[] =
	"# fish completion for jarvis, printed by: jarvis completion fish\n"
	"function __jarvis_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l program $words[1]\n"
	"\tset -e words[1]\n"
	"\tset -l word (commandline -ct)\n"
	"\tfor line in ($program __complete -- $words \"$word\" 2>/dev/null)\n"
	"\t\tif test \"$line\" = :files\n"
	"\t\t\t__fish_complete_path (string replace -r -- '^--[^=]*=' '' \"$word\")\n"
	"\t\telse\n"
	"\t\t\techo $line\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"complete -c jarvis -f -a '(__jarvis_complete)'\n";

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static int run(struct jv_invocation *invocation)
{
	static const char *const scripts[] = {bash, zsh, fish};
	size_t shell = 0;
	struct jv_status status = jv_value_choice(invocation->arguments->items[0], shells, &shell);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	jv_buffer_append_text(&invocation->out, scripts[shell]);
	return JV_EXIT_OK;
}

const struct jv_command jv_command_completion = {
	.name = "completion",
	.arguments = "bash|zsh|fish",
	.summary = "Prints the completion script of a shell.",
	.description =
		"It completes commands, flags and their values, and asks the server for tasks and "
		"nodes. Packages install it. Without one:\n"
		"\n"
		"  bash  source <(jarvis completion bash)      # in ~/.bashrc\n"
		"  zsh   source <(jarvis completion zsh)       # in ~/.zshrc, behind compinit\n"
		"  fish  jarvis completion fish | source       # in ~/.config/fish/config.fish",
	.arguments_min = 1,
	.arguments_max = 1,
	.choices = shells,
	.run = run,
	.examples = "  source <(jarvis completion bash)",
};
