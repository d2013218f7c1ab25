package server

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionFlags are those of the command completion.
type completionFlags struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish"`
}

// run writes what a shell reads to complete the program's command lines. It is
// made from the same model as the help, so that it can't lack a command.
func (f *completionFlags) run(model *kong.Application, out io.Writer) {
	write := map[string]func(io.Writer, []point){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[f.Shell]
	write(out, points(model.Node, nil))
}

// point is a place in a command line: the commands before it, and what may
// follow.
type point struct {
	path            string // "tenant add"
	commands, flags []offer
}

type offer struct{ text, help string }

func points(n *kong.Node, path []string) []point {
	p := point{path: strings.Join(path, " ")}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			p.flags = append(p.flags, offer{"--" + f.Name, firstLine(f.Help)})
		}
	}
	var below []point
	for _, child := range n.Children {
		if child.Type != kong.CommandNode || child.Hidden {
			continue
		}
		p.commands = append(p.commands, offer{child.Name, firstLine(child.Help)})
		below = append(below, points(child, append(slices.Clone(path), child.Name))...)
	}
	return append([]point{p}, below...)
}

// firstLine is a help text without what a shell would take for its own.
func firstLine(help string) string {
	line, _, _ := strings.Cut(help, "\n")
	line = strings.NewReplacer("'", "’", "$", "", "`", "", `"`, "", `\`, "").Replace(line)
	if before, _, ok := strings.Cut(line, "; "); ok {
		line = before
	}
	return strings.TrimSuffix(line, ".")
}

// all returns everything that may stand at a point.
func (p point) all() string {
	var words []string
	for _, o := range append(slices.Clone(p.commands), p.flags...) {
		words = append(words, o.text)
	}
	return strings.Join(words, " ")
}

// sift is how bash and zsh find out where in the command line they are.
func sift(out io.Writer, list []point) {
	fmt.Fprint(out, "    case \"${at:+$at }$word\" in\n")
	for _, p := range list[1:] {
		fmt.Fprintf(out, "      '%s') at='%[1]s' ;;\n", p.path)
	}
	fmt.Fprint(out, "    esac\n  done\n  case \"$at\" in\n")
	for _, p := range list {
		fmt.Fprintf(out, "    '%s') offers='%s' ;;\n", p.path, p.all())
	}
	fmt.Fprint(out, "  esac\n")
}

func bashCompletion(out io.Writer, list []point) {
	fmt.Fprint(out, "# bash completion of rollcall: source <(rollcall completion bash)\n_rollcall() {\n"+
		"  local at='' offers='' word\n  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n")
	sift(out, list)
	fmt.Fprint(out, "  COMPREPLY=($(compgen -W \"$offers\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _rollcall rollcall\n")
}

func zshCompletion(out io.Writer, list []point) {
	fmt.Fprint(out, "#compdef rollcall\n# zsh completion of rollcall: source <(rollcall completion zsh), after compinit\n_rollcall() {\n"+
		"  local at='' offers='' word\n  for word in \"${(@)words[2,CURRENT-1]}\"; do\n")
	sift(out, list)
	fmt.Fprint(out, "  compadd -- ${=offers}\n  _files\n}\ncompdef _rollcall rollcall\n")
}

func fishCompletion(out io.Writer, list []point) {
	fmt.Fprint(out, "# fish completion of rollcall: rollcall completion fish | source\nfunction __rollcall_at\n"+
		"  set -l at\n  for word in (commandline -opc)[2..]\n    switch (string join ' ' $at $word)\n      case")
	for _, p := range list[1:] {
		fmt.Fprintf(out, " '%s'", p.path)
	}
	fmt.Fprint(out, "\n        set -a at $word\n    end\n  end\n  test \"$argv[1]\" = \"$at\"\nend\n")
	for _, p := range list {
		for _, o := range p.commands {
			fmt.Fprintf(out, "complete -c rollcall -f -n \"__rollcall_at '%s'\" -a '%s' -d '%s'\n", p.path, o.text, o.help)
		}
		for _, o := range p.flags {
			fmt.Fprintf(out, "complete -c rollcall -n \"__rollcall_at '%s'\" -l '%s' -d '%s'\n", p.path, strings.TrimPrefix(o.text, "--"), o.help)
		}
	}
}
