package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/tools/txtar"
)

// Fixture is one conversation with a server, and what it proves.
type Fixture struct {
	Title    string
	Covers   []string          // ids of requirements.tsv
	Rules    []string          // ids of the compatibility rules it shows at work, or switched off
	Near     []string          // ids of those whose boundary it shows: what is like them, and refused
	Profiles []string          // "strict" if the file names none
	Backends []string          // nil: all
	Config   map[string]string // knobs of the server, by name; "" for a switch
	Types    []string          // files of testdata/schemas to load, without ".json"
	Me       string            // whom the caller is, expanded when it is asked for
	Steps    []Step
}

// Step is one request, sent once or for each value of a counter, or a move of
// the server's clock.
type Step struct {
	Label    string // names the answer for later steps: ${LABEL.id}
	Clock    time.Duration
	Method   string
	Path     string
	Var      string // name of the counter; "" for a request sent once
	From, To int
	Parallel bool
	Header   []Line
	Body     string
	Expect   *Expect // nil: any 2xx
}

// Line is a "Name: value" line.
type Line struct{ Name, Value string }

// Knobs are the words that a fixture's config line may use. Those that end in
// "=" take a number, or a duration.
var Knobs = []string{"nobulk", "nopatch", "nosort", "noetag", "cursoronly", "nototals", "keeppasswords",
	"toomany=", "defaultpage=", "maxpage=", "body=", "largebody=", "bulkops=", "patchops=",
	"filterlength=", "filternodes=", "filterdepth=", "jsondepth=", "jsonvalues=", "values=", "cursortimeout="}

var (
	labelRE  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	methodRE = regexp.MustCompile(`^[A-Z]+$`)
	lineRE   = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*):(?:\s+(.*))?$`)
	rangeRE  = regexp.MustCompile(`^(\d+)\.\.(\d+)$`)
	idRE     = regexp.MustCompile(`^[A-Z]{2,4}-\d{3}$`)
	ruleRE   = regexp.MustCompile(`^[A-Z]{3,5}-\d{2}b?$`)
)

// Parse reads a fixture. Its errors name the step at fault.
func Parse(data []byte) (*Fixture, error) {
	ar := txtar.Parse(data)
	f := &Fixture{Config: map[string]string{}}
	if err := f.header(string(ar.Comment)); err != nil {
		return nil, err
	}
	for _, file := range ar.Files {
		if err := f.step(file.Name, string(file.Data)); err != nil {
			return nil, fmt.Errorf("-- %s --: %w", file.Name, err)
		}
	}
	switch {
	case f.Title == "":
		return nil, fmt.Errorf("the first line is to say what the fixture shows")
	case len(f.Steps) == 0:
		return nil, fmt.Errorf("no step")
	}
	if len(f.Profiles) == 0 {
		f.Profiles = []string{"strict"}
	}
	return f, nil
}

func (f *Fixture) header(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if f.Title == "" {
			f.Title = line
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || strings.Contains(key, " ") {
			f.Title += " " + line
			continue
		}
		words := strings.Fields(value)
		switch key {
		case "covers":
			for _, id := range words {
				if !idRE.MatchString(id) {
					return fmt.Errorf("covers: %q is no requirement id", id)
				}
			}
			f.Covers = append(f.Covers, words...)
		case "rule", "near":
			for _, id := range words {
				if !ruleRE.MatchString(id) {
					return fmt.Errorf("%s: %q is no id of a compatibility rule", key, id)
				}
			}
			if key == "rule" {
				f.Rules = append(f.Rules, words...)
			} else {
				f.Near = append(f.Near, words...)
			}
		case "profile":
			f.Profiles = append(f.Profiles, words...)
		case "backend":
			f.Backends = append(f.Backends, words...)
		case "types":
			f.Types = append(f.Types, words...)
		case "me":
			f.Me = strings.TrimSpace(value)
		case "config":
			for _, w := range words {
				name, val, has := strings.Cut(w, "=")
				known := name
				if has {
					known += "="
				}
				if !slices.Contains(Knobs, known) {
					return fmt.Errorf("config: unknown knob %q", w)
				}
				f.Config[name] = val
			}
		default:
			return fmt.Errorf("unknown header %q", key)
		}
	}
	return nil
}

// step reads one file of the archive: a request, what is expected of the one
// before, or a move of the clock.
func (f *Fixture) step(name, data string) error {
	word, rest, _ := strings.Cut(name, " ")
	if word == "clock" {
		d, err := time.ParseDuration(strings.TrimPrefix(strings.TrimSpace(rest), "+"))
		if err != nil || strings.TrimSpace(data) != "" {
			return fmt.Errorf("want a duration and nothing below it")
		}
		f.Steps = append(f.Steps, Step{Label: "clock", Clock: d})
		return nil
	}
	if !labelRE.MatchString(word) {
		return fmt.Errorf("%q is no label", word)
	}
	kind, after, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if kind == "expect" {
		i := slices.IndexFunc(f.Steps, func(s Step) bool { return s.Label == word })
		if i < 0 || f.Steps[i].Expect != nil {
			return fmt.Errorf("no request %q without expectation before this", word)
		}
		var err error
		f.Steps[i].Expect, err = parseExpect(after, data)
		return err
	}
	if slices.ContainsFunc(f.Steps, func(s Step) bool { return s.Label == word }) {
		return fmt.Errorf("label %q is used twice", word)
	}
	if reserved(word) {
		return fmt.Errorf("label %q means something else", word)
	}
	s := Step{Label: word, From: 1, To: 1}
	if kind == "repeat" || kind == "parallel" {
		parts := strings.SplitN(after, " ", 3)
		m := []string(nil)
		if len(parts) == 3 {
			m = rangeRE.FindStringSubmatch(parts[1])
		}
		if m == nil || !labelRE.MatchString(parts[0]) {
			return fmt.Errorf("want %s VAR FROM..TO METHOD PATH", kind)
		}
		s.Parallel, s.Var = kind == "parallel", parts[0]
		s.From, _ = strconv.Atoi(m[1])
		s.To, _ = strconv.Atoi(m[2])
		kind, after, _ = strings.Cut(parts[2], " ")
	}
	s.Method, s.Path = kind, strings.TrimSpace(after)
	if !methodRE.MatchString(s.Method) || s.To < s.From {
		return fmt.Errorf("want LABEL METHOD PATH")
	}
	s.Header, s.Body = splitRequest(data)
	f.Steps = append(f.Steps, s)
	return nil
}

// splitRequest parts header lines from the body. A request whose first line is
// no header line is all body.
func splitRequest(data string) (header []Line, body string) {
	rest := data
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		if line == "" && header != nil {
			rest = after
			break
		}
		m := lineRE.FindStringSubmatch(line)
		if m == nil {
			break
		}
		header = append(header, Line{m[1], strings.TrimSpace(m[2])})
		rest = after
	}
	return header, strings.TrimSpace(rest)
}
