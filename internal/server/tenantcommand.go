package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// tenantFlags are the arguments of "rollcall tenant …".
type tenantFlags struct {
	Config

	Add struct {
		Name     string   `arg:"" help:"1 to 63 of a to z, 0 to 9 and hyphens; clients see it in /t/NAME/scim/v2"`
		Settings []string `arg:"" optional:"" name:"setting=value" help:"such as profile=strict or limits.maxPage=200; @FILE takes the value from a file"`
		JSON     bool     `name:"json" help:"print JSON"`
	} `cmd:"" help:"Add a tenant: a directory of its own with its own tokens."`
	List struct {
		JSON bool `name:"json" help:"print JSON"`
	} `cmd:"" help:"List the tenants."`
	Show struct {
		Name string `arg:"" help:"of the tenant"`
		JSON bool   `name:"json" help:"print JSON"`
	} `cmd:"" help:"Show a tenant, its settings and how many tokens it has."`
	Set struct {
		Name     string   `arg:"" help:"of the tenant"`
		Settings []string `arg:"" name:"setting=value" help:"such as profile=strict or limits.maxPage=200; nothing after = gives it back to the server, @FILE takes the value from a file"`
		JSON     bool     `name:"json" help:"print JSON"`
	} `cmd:"" help:"Change settings of a tenant; they hold at once, within two seconds on other instances."`
	Remove struct {
		Name string `arg:"" help:"of the tenant"`
		Yes  bool   `name:"yes" help:"yes, remove it with all its users, groups and tokens"`
	} `cmd:"" help:"Remove a tenant with all its users, groups and tokens, for good."`
}

// run carries out "rollcall tenant verb".
func (f *tenantFlags) run(ctx context.Context, verb string, s Settings, stdout, stderr io.Writer) error {
	o, asJSON := order{Do: "tenant " + verb}, false
	var settings []string
	switch verb {
	case "add":
		o.Name, settings, asJSON = f.Add.Name, f.Add.Settings, f.Add.JSON
	case "list":
		asJSON = f.List.JSON
	case "show":
		o.Do, o.Name, asJSON = "tenant list", f.Show.Name, f.Show.JSON
	case "set":
		o.Name, settings, asJSON = f.Set.Name, f.Set.Settings, f.Set.JSON
	case "remove":
		if o.Name = f.Remove.Name; !f.Remove.Yes {
			return &usageError{fmt.Errorf("%q would be removed with all its users, groups and tokens, and nothing brings them back; to do so add --yes", printable(o.Name))}
		}
	}
	var err error
	if o.Settings, err = parseSettings(settings); err != nil {
		return &usageError{err}
	}
	r, err := administer(ctx, s, o)
	warn(stderr, r.Warnings)
	switch {
	case err != nil:
		return err
	case verb == "remove":
		_, err = fmt.Fprintf(stderr, "removed the tenant %s; its data is being deleted\n", o.Name)
	case asJSON && verb == "list":
		err = printJSON(stdout, r.Tenants)
	case asJSON:
		err = printJSON(stdout, r.Tenants[0])
	case verb == "list":
		err = listTenants(stdout, r.Tenants)
	case verb == "show":
		err = showTenant(stdout, r.Tenants[0])
	case verb == "add":
		_, err = fmt.Fprintf(stderr, "added the tenant %s; make a token for it: rollcall token add NAME --tenant %[1]s\n", o.Name)
	default:
		_, err = fmt.Fprintf(stderr, "the settings of the tenant %s are changed\n", o.Name)
	}
	return err
}

// parseSettings reads "name=value" words. A value of "@file" is what the file
// holds.
func parseSettings(words []string) (list []setting, err error) {
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q: a setting is written name=value, such as profile=strict", printable(word))
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("can't read the value of %s: %w", printable(name), err)
			}
			value = strings.TrimSpace(string(text))
		}
		list = append(list, setting{name, value})
	}
	return list, nil
}

func warn(stderr io.Writer, list []string) {
	for _, text := range list {
		fmt.Fprintf(stderr, "warning: %s\n", text)
	}
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func listTenants(out io.Writer, list []tenantReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tCREATED\tLIVE TOKENS\tSETTINGS")
	for _, t := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", printable(t.Name), day(t.Created), t.Tokens, printable(settingNames(t)))
	}
	return w.Flush()
}

// settingNames says what a tenant has otherwise than the server.
func settingNames(t tenantReport) string {
	if t.Fault != "" {
		return "NOT SERVED: " + t.Fault
	}
	var set map[string]any
	if err := json.Unmarshal(t.Settings, &set); err != nil {
		return "?"
	}
	var names []string
	for _, f := range settingOrder {
		if _, ok := set[f]; ok {
			names = append(names, f)
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

var settingOrder = []string{"profile", "baseURL", "limits", "schemas", "rate", "breaker", "promotion", "protected", "issuers"}

func showTenant(out io.Writer, t tenantReport) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tenant:   %s\ncreated:  %s\ntokens:   %d live\n", t.Name, day(t.Created), t.Tokens)
	if t.Fault != "" {
		fmt.Fprintf(&b, "NOT SERVED: %s\n", visible(t.Fault))
	} else {
		var indented bytes.Buffer
		if err := json.Indent(&indented, t.Settings, "", "  "); err != nil {
			return err
		}
		lines := strings.Split(indented.String(), "\n")
		for i := range lines {
			lines[i] = visible(lines[i])
		}
		fmt.Fprintf(&b, "settings: %s\n", strings.Join(lines, "\n"))
	}
	_, err := b.WriteTo(out)
	return err
}

// day is a time for a table; "-" is none.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// tokenFlags are the arguments of "rollcall token …".
type tokenFlags struct {
	Config

	Add struct {
		Name    string  `arg:"" help:"of the token, such as okta"`
		Tenant  string  `name:"tenant" default:"default" placeholder:"NAME" help:"that it opens"`
		Scopes  *string `name:"scopes" placeholder:"SCOPES" help:"read, write, bulk, and by resource type read:User; 'none' for discovery alone (default: read write bulk)"`
		Expires string  `name:"expires" placeholder:"WHEN" help:"a time from now such as 90d or 12h, or a date such as 2027-01-31 (default: never)"`
		JSON    bool    `name:"json" help:"print JSON, with the token"`
	} `cmd:"" help:"Make a token and print it, this once."`
	List struct {
		Tenant string `name:"tenant" placeholder:"NAME" help:"whose (default: all)"`
		JSON   bool   `name:"json" help:"print JSON"`
	} `cmd:"" help:"List tokens, without what is secret of them."`
	Rotate struct {
		Name    string `arg:"" help:"name or id of the token"`
		Tenant  string `name:"tenant" default:"default" placeholder:"NAME" help:"whose it is"`
		Grace   string `name:"grace" placeholder:"DURATION" help:"how long the old one stays good, such as 1h or 7d (default: 24h)"`
		Now     bool   `name:"now" help:"the old one ends at once"`
		Expires string `name:"expires" placeholder:"WHEN" help:"of the new one, as with add (default: after as long as the old one was meant to live)"`
		JSON    bool   `name:"json" help:"print JSON, with the token"`
	} `cmd:"" help:"Make the successor of a token and print it, this once; both are good for a while."`
	Revoke struct {
		Name   string `arg:"" help:"name or id of the token; a name is all live ones of it"`
		Tenant string `name:"tenant" default:"default" placeholder:"NAME" help:"whose it is"`
		JSON   bool   `name:"json" help:"print JSON"`
	} `cmd:"" help:"End a token: at once, within two seconds on other instances."`
}

// run carries out "rollcall token verb". What is secret is all that stdout gets,
// so that a script can keep it.
func (f *tokenFlags) run(ctx context.Context, verb string, s Settings, stdout, stderr io.Writer) error {
	o, asJSON, err := f.order(verb, time.Now())
	if err != nil {
		return &usageError{err}
	}
	r, err := administer(ctx, s, o)
	if err != nil {
		return err
	}
	warn(stderr, r.Warnings)
	switch {
	case asJSON && r.Secret != "":
		return printJSON(stdout, struct {
			Token string `json:"token"`
			tokenReport
			Before []tokenReport `json:"before,omitempty"`
		}{r.Secret, r.Tokens[0], r.Tokens[1:]})
	case asJSON:
		return printJSON(stdout, append([]tokenReport{}, r.Tokens...))
	case verb == "list":
		return listTokens(stdout, r.Tokens)
	case verb == "revoke":
		if len(r.Tokens) == 0 {
			fmt.Fprintf(stderr, "%s of the tenant %s has ended already; nothing was changed\n", printable(o.Name), o.Tenant)
		}
		for _, t := range r.Tokens {
			fmt.Fprintf(stderr, "revoked %s (%s) of the tenant %s\n", printable(t.Name), t.ID, t.Tenant)
		}
		return nil
	}
	t := r.Tokens[0]
	fmt.Fprintf(stderr, "made the token %s (%s) of the tenant %s, for %s, expires: %s\n", printable(t.Name), t.ID, t.Tenant, scopesOr(t.Scopes), day(t.Expires))
	for _, old := range r.Tokens[1:] {
		fmt.Fprintf(stderr, "%s, which it replaces, ends: %s\n", old.ID, day(laterEnd(old)))
	}
	fmt.Fprintln(stderr, "it is shown this once:")
	_, err = fmt.Fprintln(stdout, r.Secret)
	return err
}

func laterEnd(t tokenReport) time.Time {
	if !t.Revoked.IsZero() {
		return t.Revoked
	}
	return t.Expires
}

// order returns what is asked for.
func (f *tokenFlags) order(verb string, now time.Time) (o order, asJSON bool, err error) {
	o = order{Do: "token " + verb, Token: &tokenOrder{}}
	expires := ""
	switch verb {
	case "add":
		o.Name, o.Tenant, asJSON, expires = f.Add.Name, f.Add.Tenant, f.Add.JSON, f.Add.Expires
		if o.Token.Scopes = f.Add.Scopes; f.Add.Scopes != nil && *f.Add.Scopes == "none" {
			*o.Token.Scopes = ""
		}
	case "list":
		o.Tenant, asJSON = f.List.Tenant, f.List.JSON
	case "rotate":
		o.Name, o.Tenant, asJSON, expires = f.Rotate.Name, f.Rotate.Tenant, f.Rotate.JSON, f.Rotate.Expires
		o.Token.Now = f.Rotate.Now
		if f.Rotate.Grace != "" {
			if o.Token.Grace, err = tokenSpan(f.Rotate.Grace); err != nil {
				return o, false, fmt.Errorf("--grace=%q: %w", printable(f.Rotate.Grace), err)
			}
			if o.Token.Now {
				return o, false, errors.New("--grace and --now contradict each other")
			}
		}
	case "revoke":
		o.Name, o.Tenant, asJSON = f.Revoke.Name, f.Revoke.Tenant, f.Revoke.JSON
	}
	if expires != "" {
		if o.Token.Expires, err = tokenEnd(expires, now); err != nil {
			return o, false, fmt.Errorf("--expires=%q: %w", printable(expires), err)
		}
	}
	return o, asJSON, nil
}

// tokenEnd reads a date, a time or a span from now.
func tokenEnd(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	d, err := tokenSpan(text)
	if err != nil {
		return time.Time{}, errors.New(`must be a time from now such as "90d" or "12h", or a date such as "2027-01-31"`)
	}
	return now.Add(d), nil
}

// tokenSpan reads a duration, also in days.
func tokenSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, ok := wholeNumber(days, 36_500); ok && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, ok := duration(text)
	if !ok || d <= 0 {
		return 0, errors.New(`must be a duration such as "24h" or "7d"`)
	}
	return d, nil
}

func scopesOr(scopes string) string {
	if scopes == "" {
		return "discovery alone"
	}
	return scopes
}

func listTokens(out io.Writer, list []tokenReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TENANT\tNAME\tID\tBEGINS\tSTATE\tSCOPES\tEXPIRES\tLAST USED\tBY")
	for _, t := range list {
		by := t.LastClient
		if by == "" {
			by = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Tenant, printable(t.Name), t.ID, t.Prefix, t.State, scopesOr(t.Scopes), day(t.Expires), day(t.LastUsed), printable(by))
	}
	return w.Flush()
}

// askedTenant is the tenant that a command is about, "" being the default one.
func askedTenant(name string) string {
	if name == "" {
		return tenant.Default
	}
	return name
}
