package people

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	uni "golang.org/x/text/encoding/unicode"
)

// The bounds of a list.
const (
	MaxListBytes = 10 << 20
	MaxListRows  = 50_000
)

// Table is a list of people as somebody exported or pasted it.
type Table struct {
	Columns []string   // names, where the list has some, else "column 1" …
	Named   bool       // the list has names of columns
	Guess   int        // the column that most likely says who is meant
	Rows    [][]string // without the names
}

// ReadTable reads CSV with commas, semicolons, tabs or bars, or a value on each
// line, in UTF-8, UTF-16 or, failing that, Windows-1252. Blank lines are left
// out. The error tells the person who gave the list what is wrong with it.
func ReadTable(r io.Reader) (*Table, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxListBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxListBytes:
		return nil, fmt.Errorf("the list is larger than %d MB", MaxListBytes>>20)
	}
	if data, err = decode(data); err != nil {
		return nil, err
	}
	data, comma := separator(data)
	in := csv.NewReader(bytes.NewReader(data))
	in.Comma, in.LazyQuotes, in.FieldsPerRecord = comma, true, -1
	var rows [][]string
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the list can't be read as CSV: %w", err)
		}
		if !slices.ContainsFunc(row, func(s string) bool { return clean(s) != "" }) {
			continue
		}
		if len(rows) > MaxListRows {
			return nil, fmt.Errorf("the list has more than %d lines; give it in parts", MaxListRows)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, errors.New("the list is empty")
	}
	if len(rows) == 1 && len(rows[0]) > 1 && !slices.ContainsFunc(rows[0], known) {
		var down [][]string // names on one line
		for _, s := range rows[0] {
			if clean(s) != "" {
				down = append(down, []string{s})
			}
		}
		rows = down
	}
	return tableOf(rows)
}

func tableOf(rows [][]string) (*Table, error) {
	t := &Table{Rows: rows}
	width := 0
	for _, row := range rows {
		width = max(width, len(row))
	}
	if width > 1000 {
		return nil, errors.New("the list has more than 1000 columns")
	}
	if isHeader(rows) {
		t.Named, t.Rows = true, rows[1:]
	}
	if len(t.Rows) > MaxListRows {
		return nil, fmt.Errorf("the list has more than %d lines; give it in parts", MaxListRows)
	}
	for i := range width {
		name := fmt.Sprintf("column %d", i+1)
		if t.Named && i < len(rows[0]) && clean(rows[0][i]) != "" {
			name = clean(rows[0][i])
		}
		t.Columns = append(t.Columns, name)
	}
	if len(t.Rows) == 0 {
		return nil, errors.New("the list has names of columns, and no line below them")
	}
	t.Guess = t.guess()
	return t, nil
}

// Column returns the number of a column by its name, without regard to case, or
// by its number from 1 on.
func (t *Table) Column(name string) (int, bool) {
	for i, c := range t.Columns {
		if strings.EqualFold(c, clean(name)) || normal(name) != "" && normal(c) == normal(name) {
			return i, true
		}
	}
	var n int
	if _, err := fmt.Sscanf(name, "%d", &n); err == nil && n > 0 && n <= len(t.Columns) && fmt.Sprint(n) == name {
		return n - 1, true
	}
	return 0, false
}

// Values returns a column. Lines that are too short have "".
func (t *Table) Values(column int) []string {
	list := make([]string, len(t.Rows))
	for i, row := range t.Rows {
		if column < len(row) {
			list[i] = row[column]
		}
	}
	return list
}

// decode returns the text of a list in UTF-8, without a byte order mark.
func decode(data []byte) ([]byte, error) {
	zeros := func(from int) (n int) { // at every second byte, of the beginning
		for i := from; i < min(len(data), 200); i += 2 {
			if data[i] == 0 {
				n++
			}
		}
		return n
	}
	half := min(len(data), 200) / 4
	order := uni.LittleEndian
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = uni.BigEndian
	case half > 0 && zeros(1) > half && zeros(0) == 0: // without a mark
	case half > 0 && zeros(0) > half && zeros(1) == 0:
		order = uni.BigEndian
	default:
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		if bytes.IndexByte(data, 0) >= 0 {
			return nil, errors.New("this is no list: it holds NUL bytes; save it as CSV")
		}
		if utf8.Valid(data) {
			return data, nil
		}
		return charmap.Windows1252.NewDecoder().Bytes(data) // Excel's
	}
	if len(data)%2 != 0 {
		return nil, errors.New("the list is cut off: it is UTF-16 with an odd number of bytes")
	}
	return uni.UTF16(order, uni.UseBOM).NewDecoder().Bytes(data)
}

// separators are what may stand between the values of a line.
const separators = ",;\t|"

// separator finds what separates the values: what its first line says ("sep=;",
// which it then leaves out), else what most of the first lines have, the same
// number of times each.
func separator(data []byte) ([]byte, rune) {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	if s := strings.TrimRight(string(first), "\r"); len(s) == 5 && strings.EqualFold(s[:4], "sep=") && strings.ContainsRune(separators, rune(s[4])) {
		return rest, rune(s[4])
	}
	lines, best, most := beginning(data), ',', 0
	for _, sep := range separators {
		counts := map[int]int{}
		for _, line := range lines {
			if n := countOutside(line, sep); n > 0 {
				counts[n]++
			}
		}
		agree := 0
		for n, lines := range counts {
			agree = max(agree, lines*1000+n)
		}
		if agree > most {
			best, most = sep, agree
		}
	}
	return data, best
}

// beginning returns the first lines that are not blank.
func beginning(data []byte) (lines []string) {
	for line := range strings.Lines(string(data[:min(len(data), 64<<10)])) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
		if len(lines) == 20 {
			break
		}
	}
	return lines
}

// countOutside counts a separator outside of quotation marks.
func countOutside(line string, sep rune) (n int) {
	quoted := false
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case r == sep && !quoted:
			n++
		}
	}
	return n
}

// columnNames are names of columns that say who is meant, in normal form, the
// more telling first.
var columnNames = []string{
	"username", "userprincipalname", "upn", "login", "loginname", "useruserprincipalname", "accountname", "samaccountname",
	"email", "emailaddress", "mail", "primaryemail", "workemail", "useremail", "emailwork", "emailsvalue", "businessemail",
	"externalid", "objectid", "userid", "id", "employeeid", "employeenumber", "personnelnumber", "user", "account",
}

// otherNames are names of columns that show that a line holds names, and say
// nothing of who is meant.
var otherNames = []string{
	"firstname", "lastname", "givenname", "familyname", "surname", "middlename", "displayname", "name", "fullname", "status", "active",
	"department", "title", "jobtitle", "manager", "company", "division", "phone", "mobile", "mobilephone", "secondemail", "accountenabled",
	"usertype", "created", "createddatetime", "group", "groups", "country", "city", "office", "enabled", "location",
}

// normal is the form in which names of columns are compared.
func normal(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func known(s string) bool {
	n := normal(s)
	return slices.Contains(columnNames, n) || slices.Contains(otherNames, n)
}

// isHeader reports whether the first line holds names of columns: one that is
// known, or, where there are several columns, none that looks like a value.
func isHeader(rows [][]string) bool {
	first := rows[0]
	if slices.ContainsFunc(first, func(s string) bool { return strings.Contains(s, "@") }) {
		return false
	}
	if slices.ContainsFunc(first, known) {
		return true
	}
	return len(first) > 1 && len(rows) > 1 && slices.ContainsFunc(rows[1], func(s string) bool { return strings.Contains(s, "@") })
}

// guess returns the column that most likely says who is meant: by its name, else
// the first one with the most addresses.
func (t *Table) guess() int {
	if t.Named {
		for _, name := range columnNames {
			if i := slices.IndexFunc(t.Columns, func(c string) bool { return normal(c) == name }); i >= 0 {
				return i
			}
		}
	}
	best, most := 0, 0
	for i := range t.Columns {
		n := 0
		for _, row := range t.Rows[:min(len(t.Rows), 100)] {
			if i < len(row) && strings.Contains(row[i], "@") {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}
