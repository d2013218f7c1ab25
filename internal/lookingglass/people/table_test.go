package people_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
)

func utf16Bytes(s string, big, mark bool) string {
	var b strings.Builder
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			b.WriteString(string([]byte{byte(u >> 8), byte(u)}))
		} else {
			b.WriteString(string([]byte{byte(u), byte(u >> 8)}))
		}
	}
	return b.String()
}

// TestReadTable reads lists as people have them.
func TestReadTable(t *testing.T) {
	t.Parallel()
	oktas := "login,firstName,lastName,email,status\nalice@x.example,Alice,Ärzte,a@x.example,ACTIVE\nbob@x.example,Bob,Ö,b@x.example,ACTIVE\n"
	for _, tt := range []struct {
		name, in string
		column   string // that is guessed
		values   []string
	}{
		{"a value on each line", "alice\n\n bob \r\ncarol", "column 1", []string{"alice", " bob ", "carol"}},
		{"one value", "alice@x.example", "column 1", []string{"alice@x.example"}},
		{"values on one line", "alice, bob,,carol", "column 1", []string{"alice", " bob", "carol"}},
		{"with a name above", "userName\nalice\n", "userName", []string{"alice"}},
		{"Okta", oktas, "login", []string{"alice@x.example", "bob@x.example"}},
		{"Entra, UTF-8 with a mark", "\ufeffdisplayName,userPrincipalName,mail\nAlice,alice@x.example,\n", "userPrincipalName", []string{"alice@x.example"}},
		{"semicolons", "Nachname;Vorname;E-Mail\nÄrzte;Alice;alice@x.example\n", "E-Mail", []string{"alice@x.example"}},
		{"tabs", "Employee Number\tName\tWork Email\n1\tA, B\talice@x.example\n2\tC\tbob@x.example\n", "Work Email", []string{"alice@x.example", "bob@x.example"}},
		{"said by Excel", "sep=;\r\nuser name;x\r\na,b;1\r\n", "user name", []string{"a,b"}},
		{"quoted, with lines inside", "name,\"user\nname\"\n\"a, b\",\"al\"\"ice\"\n", "user\nname", []string{`al"ice`}},
		{"bars", "mail|phone\na@x.example|1\n", "mail", []string{"a@x.example"}},
		{"no names, addresses second", "1,alice@x.example\n2,bob@x.example\n", "column 2", []string{"alice@x.example", "bob@x.example"}},
		{"unknown names", "foo,bar\n1,alice@x.example\n", "bar", []string{"alice@x.example"}},
		{"lines too short", "mail,x\n,1\nb@x.example\n", "mail", []string{"", "b@x.example"}},
		{"UTF-16, little", utf16Bytes(oktas, false, true), "login", []string{"alice@x.example", "bob@x.example"}},
		{"UTF-16, big", utf16Bytes(oktas, true, true), "login", []string{"alice@x.example", "bob@x.example"}},
		{"UTF-16 without a mark", utf16Bytes(oktas, false, false), "login", []string{"alice@x.example", "bob@x.example"}},
		{"UTF-16 without a mark, big", utf16Bytes(oktas, true, false), "login", []string{"alice@x.example", "bob@x.example"}},
		{"Windows-1252", "userName\nj\xf6rg\n", "userName", []string{"jörg"}},
		{"quotation marks astray", "al\"ice\nb\"ob\n", "column 1", []string{`al"ice`, `b"ob`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := people.ReadTable(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := table.Values(table.Guess); table.Columns[table.Guess] != tt.column || !slices.Equal(got, tt.values) {
				t.Errorf("column %q: %q\nwant %q: %q", table.Columns[table.Guess], got, tt.column, tt.values)
			}
		})
	}
}

// TestReadTableRefused gives lists that are none.
func TestReadTableRefused(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]string{
		"the list is empty":                "\ufeff \n\n",
		"no line below them":               "login,email\n",
		"NUL bytes":                        "PK\x03\x04\x00\x00\x00\x00\x01\x00\x00x\x00\x00",
		"odd number of bytes":              "\xff\xfea\x00b",
		"larger than 10 MB":                strings.Repeat("0123456789\n", people.MaxListBytes/11+1),
		"more than 50000 lines":            strings.Repeat("a\n", people.MaxListRows+1),
		"more than 1000 columns":           strings.Repeat("a@b,", 1001) + "\nx,y\n",
		"the list has names of columns, a": "userName\n",
	} {
		if _, err := people.ReadTable(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if table, err := people.ReadTable(strings.NewReader("userName\n" + strings.Repeat("a\n", people.MaxListRows))); err != nil || len(table.Rows) != people.MaxListRows {
		t.Errorf("as many lines as may be: %v", err)
	}
}

// TestColumn finds the column that is asked for.
func TestColumn(t *testing.T) {
	t.Parallel()
	table, err := people.ReadTable(strings.NewReader("User Name,e-mail,3\na,b,c\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"user name": 0, "userName": 0, "EMAIL": 1, "3": 2, "1": 0, "0": -1, "4": -1, "": -1, "-": -1, "1x": -1} {
		got, ok := table.Column(name)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("column %q: %d, want %d", name, got, want)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2", "sep=;\na;b", "\xff\xfea\x00", "\"a\nb", "a\tb\r\n\"\"", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		table, err := people.ReadTable(strings.NewReader(in))
		if err != nil {
			return
		}
		if table.Guess < 0 || table.Guess >= len(table.Columns) || len(table.Rows) == 0 {
			t.Fatalf("%+v", table)
		}
		for i := range table.Columns {
			if len(table.Values(i)) != len(table.Rows) {
				t.Fatal("a column is not as long as the list")
			}
		}
	})
}
