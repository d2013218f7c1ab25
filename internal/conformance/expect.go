package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Expect is what a step's answer has to be, beyond what every answer has to be.
type Expect struct {
	Status []Count
	Header []Line // the value is a regular expression
	Do     []Directive
	Body   any  // JSON that the answer contains; nil: not looked at
	HasAny bool // Body is set
	Exact  bool // the answer is Body and nothing else
}

// Count is a status and, for parallel requests, how many answers carry it.
type Count struct{ Status, Times int } // Times -1: not counted

// Directive is one line of an expectation, such as "absent $.password".
type Directive struct {
	Verb string
	Args string // all that follows the verb, not yet expanded
}

// verbs lists the directives; docs/fixtures.md explains each.
var verbs = map[string]*regexp.Regexp{
	"absent":  regexp.MustCompile(`^\$\S*(\s+\$\S*)*$`),
	"present": regexp.MustCompile(`^\$\S*(\s+\$\S*)*$`),
	"count":   regexp.MustCompile(`^\$\S* \S+$`),
	"values":  regexp.MustCompile(`^\$.* = .+$`),
	"set":     regexp.MustCompile(`^\$.* = .+$`),
	"capture": regexp.MustCompile(`^\w+ = (\$\S*|header [A-Za-z-]+)$`),
	"same":    regexp.MustCompile(`^\S+ \w+$`),
	"differs": regexp.MustCompile(`^\S+ \w+$`),
	"later":   regexp.MustCompile(`^\S+ \w+$`),
	"matches": regexp.MustCompile(`.`),
	"lacks":   regexp.MustCompile(`.`),
	"no":      regexp.MustCompile(`^[A-Za-z-]+$`),
	"empty":   regexp.MustCompile(`^$`),
	"type":    regexp.MustCompile(`^[a-z]+/[a-z+*-]+$`),
	"plain":   regexp.MustCompile(`^$`),
}

func parseExpect(status, data string) (*Expect, error) {
	e := &Expect{}
	for _, w := range strings.FieldsFunc(status, func(r rune) bool { return r == ' ' || r == '|' }) {
		code, times, counted := strings.Cut(w, "x")
		c := Count{Times: -1}
		var err error
		if c.Status, err = strconv.Atoi(code); err == nil && counted {
			c.Times, err = strconv.Atoi(times)
		}
		if err != nil || c.Status < 200 || c.Status > 599 {
			return nil, fmt.Errorf("%q is no status", w)
		}
		e.Status = append(e.Status, c)
	}
	if len(e.Status) == 0 {
		return nil, fmt.Errorf("want a status")
	}
	for data = strings.TrimLeft(data, " \n\t"); data != ""; data = strings.TrimLeft(data, " \n\t") {
		if data[0] == '{' || data[0] == '[' {
			return e, e.json(data)
		}
		line, rest, _ := strings.Cut(data, "\n")
		data = rest
		line = strings.TrimSpace(line)
		if line[0] == '#' {
			continue
		}
		if line == "exact" {
			e.Exact = true
			continue
		}
		if m := lineRE.FindStringSubmatch(line); m != nil {
			e.Header = append(e.Header, Line{m[1], strings.TrimSpace(m[2])})
			continue
		}
		verb, args, _ := strings.Cut(line, " ")
		re := verbs[verb]
		if args = strings.TrimSpace(args); re == nil || !re.MatchString(args) {
			return nil, fmt.Errorf("can't read %q", line)
		}
		e.Do = append(e.Do, Directive{verb, args})
	}
	if e.Exact {
		return nil, fmt.Errorf("exact, but no JSON")
	}
	return e, nil
}

func (e *Expect) json(text string) error {
	v, err := decode([]byte(text))
	e.Body, e.HasAny = v, true
	if err != nil {
		return fmt.Errorf("the expected JSON: %w", err)
	}
	return nil
}

// decode reads exactly one JSON value, with numbers as they are written.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON value")
	}
	return v, nil
}
