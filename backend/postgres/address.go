package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Address checks the URL of a database, or its "key=value" form, and returns
// where it leads, fit for a log: hosts and name, and neither user nor password.
// It connects to nothing. The error never quotes the URL.
func Address(text string) (string, error) {
	if key, _, pair := strings.Cut(text, "="); !isURL(text) && (!pair || strings.ContainsFunc(strings.TrimSpace(key), notKey)) {
		return "", errors.New(`must be a PostgreSQL URL such as "postgres://user@host/database", or "host=… dbname=… user=…"`)
	}
	c, err := pgconn.ParseConfig(text)
	if err != nil {
		var file *fs.PathError
		if errors.As(err, &file) {
			return "", fmt.Errorf("names a file that can't be used: %w", file)
		}
		return "", errors.New("can't be read: in a URL, signs such as / ? % and @ in the password must be percent-encoded, " +
			"or the password be kept in the file that ROLLCALL_DATABASE_PASSWORD_FILE names")
	}
	var hosts []string
	add := func(host string, port uint16) {
		if !strings.HasPrefix(host, "/") {
			host = net.JoinHostPort(host, strconv.Itoa(int(port)))
			host = strings.TrimSuffix(host, ":5432")
		}
		if len(hosts) == 0 || hosts[len(hosts)-1] != host { // one is there twice, with and without TLS
			hosts = append(hosts, host)
		}
	}
	add(c.Host, c.Port)
	for _, f := range c.Fallbacks {
		add(f.Host, f.Port)
	}
	name := c.Database
	if name == "" {
		name = c.User // as the server reads it
	}
	return "postgres://" + strings.Join(hosts, ",") + "/" + name, nil
}

// HasPassword reports whether the URL, or the "key=value" form, holds a password
// itself.
func HasPassword(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	user, _, named := strings.Cut(rest, "@")
	return isURL(text) && named && strings.Contains(user, ":") || strings.Contains(text, "password=")
}

// WithPassword returns the URL, or the "key=value" form, with a password in the
// place of what it has.
func WithPassword(text, password string) string {
	if !isURL(text) {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		return text + " password='" + quoted + "'"
	}
	separator := "?"
	if strings.Contains(text, "?") {
		separator = "&"
	}
	return text + separator + "password=" + strings.ReplaceAll(url.QueryEscape(password), "+", "%20")
}

func notKey(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }

func isURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}
