package console

import (
	"net/http"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// A download holds so many exchanges, and about so many bytes of bodies, of the
// newest that match.
const (
	mostDownloaded = 1000
	mostBytes      = 16 << 20
)

// download answers with a file of the exchanges that the live page's form
// chooses.
func (c *Console) download(kind, extension string, encode func([]*lookingglass.Exchange) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		list, err := c.chosen(r)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		text, err := encode(list)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", `attachment; filename="rollcall-`+c.o.Now().UTC().Format("20060102-150405")+extension+`"`)
		_, _ = w.Write(text) // the client is gone: nobody is left to tell
	}
}

// chosen returns the exchanges of a download, the newest first.
func (c *Console) chosen(r *http.Request) ([]*lookingglass.Exchange, error) {
	if err := c.o.Recorder.Flush(r.Context()); err != nil {
		return nil, err
	}
	q := sieveOf(r.URL.Query()).query(pageSize)
	var list []*lookingglass.Exchange
	bytes := 0
	for len(list) < mostDownloaded {
		page, err := c.records.Find(r.Context(), q)
		if err != nil {
			return nil, err
		}
		for _, x := range page {
			if bytes += len(x.Request.Body) + len(x.Response.Body); bytes > mostBytes {
				return list, nil
			}
			list = append(list, x)
		}
		if len(page) < pageSize {
			break
		}
		q.Before = page[len(page)-1].Seq
	}
	return list, nil
}
