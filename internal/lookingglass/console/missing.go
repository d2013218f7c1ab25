package console

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
)

const (
	rowsOnPage  = 100
	sampleLines = 5
	formBytes   = people.MaxListBytes + 64<<10
)

func (c *Console) missingRoutes(mux *http.ServeMux) {
	const one = Path + "/missing/{id}"
	mux.HandleFunc("GET "+Path+"/missing", func(w http.ResponseWriter, r *http.Request) {
		c.render(w, r, http.StatusOK, "missing.html", missingForm{})
	})
	mux.HandleFunc("POST "+Path+"/missing", c.takeList)
	mux.HandleFunc("GET "+one, c.showList)
	mux.HandleFunc("POST "+one, c.chooseColumn)
	mux.HandleFunc("POST "+one+"/forget", c.forgetList)
	mux.HandleFunc("GET "+one+"/people.csv", c.listDownload("text/csv; charset=utf-8", people.WriteCSV))
	mux.HandleFunc("GET "+one+"/people.json", c.listDownload("application/json", people.WriteJSON))
}

// compares reports whether a path is that of a comparison, which changes nothing
// in the directory: who may look may send it.
func compares(path string) bool {
	return path == Path+"/missing" || strings.HasPrefix(path, Path+"/missing/")
}

// missingForm is what missing.html shows.
type missingForm struct{ Wrong string }

// takeList takes a list that was dropped or pasted.
func (c *Console) takeList(w http.ResponseWriter, r *http.Request) {
	table, err := readForm(w, r)
	if err != nil {
		c.render(w, r, http.StatusBadRequest, "missing.html", missingForm{Wrong: capital(err.Error()) + "."})
		return
	}
	l := c.lists.add(c.owner(r), c.key(), table, c.o.Now())
	if len(table.Columns) == 1 {
		c.compare(r, l, 0)
	}
	c.redirect(w, r, listURL(l.id, ""))
}

// readForm reads the list of a form: its file, or else its text. Nothing of it
// touches the disk.
func readForm(w http.ResponseWriter, r *http.Request) (*people.Table, error) {
	tooLarge := errors.New("the list is larger than 10 MB")
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	var most *http.MaxBytesError
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		err := r.ParseForm()
		if errors.As(err, &most) {
			return nil, tooLarge
		}
		return people.ReadTable(strings.NewReader(r.PostForm.Get("list")))
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, errors.New("the form can't be read")
	}
	var pasted *people.Table
	wrong := errors.New("the list is empty")
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.As(err, &most) {
			return nil, tooLarge
		}
		if err != nil {
			return nil, errors.New("the form can't be read")
		}
		file := part.FormName() == "file" && part.FileName() != ""
		if !file && part.FormName() != "list" {
			continue
		}
		table, err := people.ReadTable(part)
		switch {
		case errors.As(err, &most):
			return nil, tooLarge
		case file:
			return table, err
		case err != nil:
			wrong = err
		default:
			pasted = table
		}
	}
	if pasted == nil {
		return nil, wrong
	}
	return pasted, nil
}

// listPage is what missinglist.html shows.
type listPage struct {
	ID      string
	Columns []string   // to choose from; nil: chosen
	Guess   int        // of Columns
	Sample  [][]string // first lines
	Column  string     // the chosen one
	Lines   int
	Done    int
	Running bool
	Failed  string
	Causes  []causeCount
	Near    causeCount
	Cause   string // that is shown; "": all
	Rows    []people.Row
	From    int // of Rows, from 1
	Shown   int // rows of the cause

	Previous, Next, CSV, JSON string // addresses; "" if there is none
}

type causeCount struct {
	Cause   people.Cause
	Label   string
	Count   int
	URL     string
	Current bool
}

// nearly selects, among causes, those with near matches.
const nearly = "near"

// showList shows how far a comparison is, and what came of it.
func (c *Console) showList(w http.ResponseWriter, r *http.Request) {
	l := c.lists.get(r.PathValue("id"), c.owner(r), c.key(), c.o.Now())
	if l == nil {
		c.noList(w, r)
		return
	}
	p := l.page()
	if p.Columns == nil {
		p.choose(l.result(), r.URL.Query())
	}
	if p.Running {
		w.Header().Set("Refresh", "1; url="+c.at(listURL(l.id, "")))
	}
	c.render(w, r, http.StatusOK, "missinglist.html", p)
}

func (c *Console) noList(w http.ResponseWriter, r *http.Request) {
	if at := c.elsewhere(r.PathValue("id")); at != "" {
		c.fail(w, r, http.StatusNotFound, "This list is at another instance", "It is in the memory of "+at+", and this request came to "+c.o.Instance+
			". The load balancer must send a browser to the same instance each time (sticky sessions). If it does, that instance has stopped: give the list again.")
		return
	}
	c.fail(w, r, http.StatusNotFound, "This list is no longer here", "Lists are kept in memory for half an hour, and forgotten when you log out. Give it again.")
}

// choose fills in the rows that the address asks for.
func (p *listPage) choose(rows []people.Row, q url.Values) {
	p.Cause = q.Get("cause")
	counts := map[people.Cause]int{}
	near := 0
	for _, r := range rows {
		counts[r.Cause]++
		if r.Near != "" {
			near++
		}
	}
	for _, c := range people.Causes() {
		if counts[c] > 0 {
			p.Causes = append(p.Causes, causeCount{c, c.Label(), counts[c], listURL(p.ID, string(c)), p.Cause == string(c)})
		}
	}
	p.Near = causeCount{nearly, "with a near match", near, listURL(p.ID, nearly), p.Cause == nearly}
	chosen := ofCause(rows, p.Cause)
	from, _ := strconv.Atoi(q.Get("from")) // 0 if it is none
	from = min(max(from-1, 0), max(len(chosen)-1, 0))
	to := min(from+rowsOnPage, len(chosen))
	p.Rows, p.From, p.Shown = chosen[from:to], from+1, len(chosen)
	if from > 0 {
		p.Previous = withFrom(listURL(p.ID, p.Cause), max(from-rowsOnPage, 0)+1)
	}
	if to < len(chosen) {
		p.Next = withFrom(listURL(p.ID, p.Cause), to+1)
	}
	if !p.Running {
		query := ""
		if p.Cause != "" {
			query = "?" + url.Values{"cause": {p.Cause}}.Encode()
		}
		p.CSV, p.JSON = listURL(p.ID, "")+"/people.csv"+query, listURL(p.ID, "")+"/people.json"+query
	}
}

// ofCause returns the rows of a cause, all of them for "".
func ofCause(rows []people.Row, cause string) []people.Row {
	if cause == "" {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r people.Row) bool {
		if cause == nearly {
			return r.Near == ""
		}
		return string(r.Cause) != cause
	})
}

func listURL(id, cause string) string {
	u := Path + "/missing/" + id
	if cause != "" {
		u += "?" + url.Values{"cause": {cause}}.Encode()
	}
	return u
}

func withFrom(address string, from int) string {
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	return address + sep + "from=" + strconv.Itoa(from)
}

// chooseColumn starts the comparison of a column.
func (c *Console) chooseColumn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	l := c.lists.get(r.PathValue("id"), c.owner(r), c.key(), c.o.Now())
	if l == nil {
		c.noList(w, r)
		return
	}
	if column, err := strconv.Atoi(cmp.Or(r.PostFormValue("column"), "-")); err == nil {
		c.compare(r, l, column)
	}
	c.redirect(w, r, listURL(l.id, ""))
}

func (c *Console) forgetList(w http.ResponseWriter, r *http.Request) {
	c.lists.forget(r.PathValue("id"), c.owner(r))
	c.redirect(w, r, Path+"/missing")
}

// listDownload answers with the rows as a file.
func (c *Console) listDownload(kind string, write func(io.Writer, []people.Row) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l := c.lists.get(r.PathValue("id"), c.owner(r), c.key(), c.o.Now())
		if l == nil {
			c.noList(w, r)
			return
		}
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		_ = write(w, ofCause(l.result(), r.URL.Query().Get("cause"))) // the client is gone: nobody is left to tell
	}
}
