package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// FileVersion is the version of the format of exports. A program reads those of
// its own version and of older ones.
const FileVersion = 1

// opening is the first line of an export, closing the last one.
type opening struct {
	Rollcall int       `json:"rollcall"` // FileVersion
	Exported time.Time `json:"exported"`
	By       string    `json:"by"`
	Last     int64     `json:"last"`
	Changes  int64     `json:"changes"`
	Tenants  []tenant  `json:"tenants"`
}

type tenant struct {
	Name    string          `json:"name"`
	Uniques []Unique        `json:"uniques,omitempty"`
	Records int64           `json:"records"`
	Access  json.RawMessage `json:"access,omitempty"`
}

type closing struct {
	Kind  Kind  `json:"kind"` // end
	Sums  []Sum `json:"sums"`
	Named []Sum `json:"named"` // of edges by ids
}

// end is the Kind of a file's last line.
const end Kind = "end"

// Export writes all that src holds, a record a line, between a line that says
// what follows and one that says what there was. by names the program. It
// returns the sums of what was written.
func Export(ctx context.Context, src Source, out io.Writer, by string, now time.Time, progress Progress) ([]Sum, error) {
	h, err := src.Header(ctx)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(out, 256<<10)
	first := opening{FileVersion, now.UTC().Truncate(time.Second), by, h.Last, h.Changes, []tenant{}}
	for _, t := range h.Tenants {
		first.Tenants = append(first.Tenants, tenant(t))
	}
	put := func(v any) error {
		line, err := json.Marshal(v)
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		return err
	}
	if err := put(first); err != nil {
		return nil, err
	}
	d, done, told, total := newDigester(), int64(0), int64(0), h.total()
	var line []byte
	for r, err := range src.Records(ctx, Position{}) {
		if err != nil {
			return nil, err
		}
		d.add(r)
		line = append(appendRecord(line[:0], r), '\n')
		if _, err := w.Write(line); err != nil {
			return nil, fmt.Errorf("writing the export: %w", err)
		}
		if done += r.things(); done-told >= 1_000 {
			told = done
			progress(done, total)
		}
	}
	progress(done, total)
	sums := sumsOf(d.sums)
	if err := put(closing{end, sums, sumsOf(d.named)}); err != nil {
		return nil, err
	}
	return sums, w.Flush()
}
