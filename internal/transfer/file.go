package transfer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

// mostLine bounds a line of an export, in bytes.
const mostLine = 64 << 20

// ErrIncomplete is what reading an export that ends too early gives.
var ErrIncomplete = errors.New("the export is incomplete: its last line, with the counts, is missing")

// ErrAltered is what reading an export gives whose lines are not those that were
// written.
var ErrAltered = errors.New("the export was changed or damaged: its content is not what its last line says")

// File is an export as a Source.
type File struct {
	in     io.Reader
	r      *bufio.Reader
	offset int64 // of what r gives next
	lines  int64 // read so far, since the last seek
	header *Header
	start  int64 // offset of the second line
}

// NewFile returns the export that in holds. A reader that can not seek, such as
// a pipe, is read once and from the start.
func NewFile(in io.Reader) *File { return &File{in: in, r: bufio.NewReaderSize(in, 256<<10)} }

// Header implements Source: it reads the first line.
func (f *File) Header(context.Context) (Header, error) {
	if f.header != nil {
		return *f.header, nil
	}
	line, err := f.line()
	if errors.Is(err, io.EOF) {
		return Header{}, ErrIncomplete
	}
	if err != nil {
		return Header{}, err
	}
	var o opening
	if err := json.Unmarshal(line, &o); err != nil || o.Rollcall < 1 {
		return Header{}, errors.New("this is no export of rollcall: its first line is not that of one")
	}
	if o.Rollcall > FileVersion {
		return Header{}, fmt.Errorf("the export was written by a newer version of this program (format %d, this program reads up to %d)", o.Rollcall, FileVersion)
	}
	const most = 1 << 53
	if o.Last < 0 || o.Last > most || o.Changes < 0 || o.Changes > most {
		return Header{}, errors.New("the export's first line has numbers that can't be")
	}
	sum := sha256.Sum256(line)
	f.header = &Header{ID: "file " + hex.EncodeToString(sum[:16]), Last: o.Last, Changes: o.Changes}
	for _, t := range o.Tenants {
		f.header.Tenants = append(f.header.Tenants, Tenant(t))
	}
	f.start = f.offset
	return *f.header, nil
}

// Records implements Source. What is read from the start to its end is compared
// with what the last line says.
func (f *File) Records(ctx context.Context, from Position) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := f.records(ctx, from, yield); err != nil {
			yield(Record{}, err)
		}
	}
}

func (f *File) records(ctx context.Context, from Position, yield func(Record, error) bool) error {
	h, err := f.Header(ctx)
	if err != nil {
		return err
	}
	if err := f.seek(max(from.After, f.start)); err != nil {
		return err
	}
	d := newDigester()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := f.line()
		if errors.Is(err, io.EOF) {
			return ErrIncomplete
		}
		if err != nil {
			return err
		}
		var p parsed
		if err := json.Unmarshal(line, &p); err != nil {
			return fmt.Errorf("%s: not JSON of the expected form: %w", f.place(), err)
		}
		if p.Kind == end {
			return f.close(p, d, from)
		}
		r, err := p.record(h)
		if err != nil {
			return fmt.Errorf("%s: %w", f.place(), err)
		}
		d.add(r)
		r.Next = Position{Tenant: r.Tenant, Kind: r.Kind, After: f.offset}
		if !yield(r, nil) {
			return nil
		}
	}
}

// close looks at what the last line says.
func (f *File) close(last parsed, d *digester, from Position) error {
	if _, err := f.line(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is more behind it", ErrAltered)
	}
	if from.After > f.start {
		return nil
	}
	differ := Compare(last.Sums, sumsOf(d.sums))
	if last.Named != nil { // early exports have none
		differ = append(differ, Compare(last.Named, sumsOf(d.named))...)
	}
	if len(differ) > 0 {
		return fmt.Errorf("%w: %s", ErrAltered, strings.NewReplacer("the source", "its last line", "the target", "the lines before").Replace(differ[0].String()))
	}
	return nil
}

// seek makes an offset the next that is read.
func (f *File) seek(offset int64) error {
	if offset == f.offset {
		return nil
	}
	s, ok := f.in.(io.Seeker)
	if !ok {
		return errors.New("a pipe can't be read again: write the export to a file, and import that")
	}
	if _, err := s.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	f.r.Reset(f.in)
	f.offset, f.lines = offset, 0
	return nil
}

func (f *File) place() string {
	if f.offset == 0 {
		return "the export"
	}
	return fmt.Sprintf("the export, the line that ends at byte %d", f.offset)
}

// line returns the next line without its end. One that is not ended is no line.
func (f *File) line() ([]byte, error) {
	var long []byte
	for {
		part, err := f.r.ReadSlice('\n')
		f.offset += int64(len(part))
		switch {
		case err == nil && long == nil:
			return part[:len(part)-1], nil
		case err == nil:
			return append(long, part[:len(part)-1]...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, part...); len(long) > mostLine {
				return nil, fmt.Errorf("%s: longer than %d bytes", f.place(), mostLine)
			}
		default:
			return nil, err
		}
	}
}

// Since implements Source: a file does not change.
func (f *File) Since(context.Context) (int64, error) { return 0, nil }

// Close implements Source.
func (f *File) Close() error {
	if c, ok := f.in.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// parsed is a line of an export.
type parsed struct {
	Kind   Kind   `json:"kind"`
	Tenant string `json:"tenant"`

	Seq          int64           `json:"seq"`
	Type         string          `json:"type"`
	ID           string          `json:"id"`
	ExternalID   string          `json:"externalId"`
	Created      time.Time       `json:"created"`
	LastModified time.Time       `json:"lastModified"`
	Version      string          `json:"version"`
	Name         string          `json:"name"`
	Deleted      time.Time       `json:"deleted"`
	Schemas      []string        `json:"schemas"`
	Digest       string          `json:"digest"`
	Links        []link          `json:"links"`
	Document     json.RawMessage `json:"document"`
	Hidden       json.RawMessage `json:"hidden"`

	Change  int64           `json:"change"`
	Actor   string          `json:"actor"`
	Request string          `json:"request"`
	Address string          `json:"address"`
	Time    time.Time       `json:"time"`
	Res     int64           `json:"res"`
	Op      string          `json:"op"`
	Log     json.RawMessage `json:"log"`

	From int64    `json:"from"`
	To   []int64  `json:"to"`
	IDs  []string `json:"ids"`

	Sums  []Sum `json:"sums"`
	Named []Sum `json:"named"`
}

// link is a reference: [path, pos, visible, id].
type link scim.Link

// UnmarshalJSON implements json.Unmarshaler.
func (l *link) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil || len(parts) != 4 {
		return errors.New("a link has four parts")
	}
	for i, to := range []any{&l.Path, &l.Pos, &l.Visible, &l.Ref.ID} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return err
		}
	}
	return nil
}

// record makes a Record of a line, or says what is wrong with it.
func (p *parsed) record(h Header) (Record, error) {
	r := Record{Tenant: p.Tenant, Kind: p.Kind}
	if !slices.ContainsFunc(h.Tenants, func(t Tenant) bool { return t.Name == p.Tenant }) {
		return r, fmt.Errorf("the first line knows no tenant %q", p.Tenant)
	}
	switch p.Kind {
	case Resources, Deleted:
		switch {
		case p.Seq < 1 || p.Seq > h.Last:
			return r, fmt.Errorf("seq %d can't be", p.Seq)
		case p.Type == "" || !fine(p.ID) || !fine(p.Version):
			return r, errors.New("type, id or version is missing, or holds what can't be in one")
		}
		res := &Resource{TypeName: p.Type, Seq: p.Seq, Name: p.Name, Time: p.Deleted}
		res.ID, res.ExternalID, res.Schemas, res.Digest = p.ID, p.ExternalID, p.Schemas, p.Digest
		res.Meta = scim.Meta{Created: p.Created, LastModified: p.LastModified, Version: p.Version}
		var ok, also bool
		res.Text, ok = inner(p.Document)
		res.Hidden, also = inner(p.Hidden)
		if !ok || !also && p.Hidden != nil {
			return r, errors.New("document and hidden must be objects")
		}
		for _, l := range p.Links {
			res.Links = append(res.Links, scim.Link(l))
		}
		r.Resource = res
	case Tombstones:
		if p.Seq < 1 || p.Seq > h.Last || p.Type == "" || !fine(p.ID) {
			return r, errors.New("seq, type or id can't be")
		}
		r.Tombstone = &Tombstone{p.Seq, p.Type, p.ID, p.Change, p.Actor, p.Request}
	case Changes:
		if p.Seq < 1 || p.Seq > h.Changes || p.Type == "" || p.Log == nil {
			return r, errors.New("seq, type or log can't be")
		}
		if _, err := changelog.Decode(p.Log); err != nil {
			return r, err
		}
		r.Change = &Change{Seq: p.Seq, Time: p.Time, Type: p.Type, ID: p.ID, Res: p.Res, Op: p.Op, Version: p.Version,
			Actor: p.Actor, Request: p.Request, Address: p.Address, Deltas: bytes.Clone(p.Log)}
	case Members, People, Left:
		if p.From < 1 || len(p.To) == 0 || len(p.To) > MostEdges || p.IDs != nil && len(p.IDs) != len(p.To) {
			return r, errors.New("from, to or ids can't be")
		}
		r.Edges = &Edges{From: p.From, To: p.To, FromID: p.ID, IDs: p.IDs}
	default:
		return r, fmt.Errorf("unknown kind %q", p.Kind)
	}
	return r, nil
}

// fine reports whether s can be an id or a version: something that can stand in
// a header and in a path.
func fine(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= 1_000
}

// inner returns what is between the braces of an object.
func inner(object []byte) ([]byte, bool) {
	object = bytes.TrimSpace(object)
	if len(object) < 2 || object[0] != '{' {
		return nil, false
	}
	if len(object) == 2 {
		return nil, true
	}
	return bytes.Clone(object[1 : len(object)-1]), true
}
