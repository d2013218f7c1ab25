// Package audit makes the change log provable: each of its rows, and each
// note of what was done to the log itself, is an entry of its tenant's chain of
// hashes, in which nothing can be changed, taken away or put in between without
// every later link being another.
//
// What a row says is of two kinds. Who changed what resource, when, how and from
// where is chained as it stands. The values of attributes are chained as a
// digest, made with a salt of the row's own. To erase a person is to forget the
// values and their salts: the chain still holds, and nobody can try out what the
// values were.
//
// The package knows no database: the SQL backends implement [Log].
package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Hash is a link of a chain: SHA-256.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Kind says what an Entry is.
type Kind int

// The kinds. What a number means never changes: it is chained.
const (
	Changed Kind = iota // a row of the change log
	Erased              // a note: values were erased
	Expired             // a note: entries were removed, since they are kept no longer
)

// Change is a row of the change log.
type Change struct {
	Seq      int64
	Time     time.Time // UTC, ms
	Type, ID string    // of the resource
	Op       string
	Version  string
	Actor    string
	Request  string
	Address  string // of the client
	Deltas   []byte // the values: JSON, as package changelog encodes them
}

// Entry is an entry of a tenant's chain.
type Entry struct {
	N    int64 // from 1, without a gap
	Kind Kind
	Time time.Time // UTC, ms
	Seq  int64     // of the row of the change log; 0: the entry is a note
	Salt []byte    // of Sum; nil: the values were erased
	Sum  []byte    // of the salt and the values
	Note []byte    // JSON of a Note; nil: the entry is a row of the change log
	Link Hash      // of all this, but for the salt and the row's number, and of the entry before

	Change *Change // the row; nil: it is not there
}

// Note is what an entry that is no row of the change log says.
type Note struct {
	ID      string `json:"id,omitempty"` // Erased: the resource whose values were erased, up to this entry
	Rows    int64  `json:"rows,omitempty"`
	Actor   string `json:"actor,omitempty"`
	Address string `json:"address,omitempty"`

	Through int64  `json:"through,omitempty"` // Expired: the last entry that was removed
	Link    string `json:"link,omitempty"`    // and its link, in hexadecimal
}

// SaltSize is the length of salts, in bytes.
const SaltSize = 16

// Head is the end of a chain: what is to be noted elsewhere, so that a chain
// that was made anew, or cut off, is found out. The zero value is of no chain.
type Head struct {
	N    int64
	Link Hash
}

// Start returns the head of a tenant's chain that has no entry yet.
func Start(tenant string) Head {
	return Head{Link: sha256.Sum256([]byte("rollcall audit 1\n" + tenant))}
}

// String returns the head as people note it: the number of the entry and its
// link.
func (h Head) String() string { return strconv.FormatInt(h.N, 10) + ":" + h.Link.String() }

// ParseHead reads what String returns, or a link alone: N is -1 then.
func ParseHead(s string) (h Head, err error) {
	h.N = -1
	number, link, numbered := strings.Cut(strings.TrimSpace(s), ":")
	if !numbered {
		link = number
	} else if h.N, err = strconv.ParseInt(number, 10, 64); err != nil || h.N < 0 {
		return h, badHead(s)
	}
	b, err := hex.DecodeString(link)
	if err != nil || len(b) != len(h.Link) {
		return h, badHead(s)
	}
	return Head{h.N, Hash(b)}, nil
}

func badHead(s string) error {
	return fmt.Errorf("%q is no head of a chain: it must be a number, a colon and 64 hexadecimal digits, as \"rollcall audit verify\" prints it", s)
}

// sum digests values.
func sum(salt, values []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(values)
	return h.Sum(nil)
}

// link returns the link of an entry behind head.
func link(head Head, e *Entry) Hash {
	b := make([]byte, 0, 512)
	text := func(s string) {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	number := func(n int64) { b = binary.BigEndian.AppendUint64(b, uint64(n)) } //nolint:gosec // any bits do
	b = append(b, head.Link[:]...)
	number(head.N + 1)
	number(int64(e.Kind))
	number(e.Time.UnixMilli())
	text(string(e.Sum))
	text(string(e.Note))
	if c := e.Change; c != nil {
		for _, s := range []string{c.Type, c.ID, c.Op, c.Version, c.Actor, c.Request, c.Address} {
			text(s)
		}
	}
	return sha256.Sum256(b)
}

// add makes e the next entry behind h.
func (h *Head) add(e *Entry) {
	e.Link = link(*h, e)
	h.N++
	h.Link = e.Link
	e.N = h.N
}

// Seal returns the entries of rows of the change log, in their order, and moves
// h behind them.
func Seal(h *Head, rows []Change) []Entry {
	salts := make([]byte, SaltSize*len(rows))
	_, _ = rand.Read(salts) // it never fails
	list := make([]Entry, len(rows))
	for i := range rows {
		c, salt := &rows[i], salts[SaltSize*i:][:SaltSize:SaltSize]
		list[i] = Entry{Kind: Changed, Time: c.Time, Seq: c.Seq, Salt: salt, Sum: sum(salt, c.Deltas), Change: c}
		h.add(&list[i])
	}
	return list
}

// Log is the audit log of a tenant, as a database keeps it. Safe for concurrent
// use.
type Log interface {
	// Seal makes entries of all rows of the change log that are committed and in
	// no entry yet, and returns the head of the chain.
	Seal(ctx context.Context) (Head, error)

	// Head returns the head of the chain as the database notes it.
	Head(ctx context.Context) (Head, error)

	// Entries returns entries with a number greater than after, in their order, at
	// most limit, with their rows; none if there are none. Some that have expired
	// may be among them.
	Entries(ctx context.Context, after int64, limit int) ([]Entry, error)

	// Expiry returns the newest note about entries that have expired, or nil.
	Expiry(ctx context.Context) (*Entry, error)

	// Strays returns the numbers of rows of the change log that are in no entry
	// though they should be, at most limit.
	Strays(ctx context.Context, limit int) ([]int64, error)

	// Query returns a page of what happened, the newest first.
	Query(ctx context.Context, q Query) (Page, error)

	// Erase forgets the values of a resource that does not exist any more: of its
	// rows of the change log and of what could be restored. It notes that in the
	// chain, unless there is nothing to erase: then it returns 0 rows and the time
	// of the last note about it, if there is one.
	Erase(ctx context.Context, e Erasure) (Outcome, error)
}

// ErrThere is the error of an erasure while the resource exists.
var ErrThere = errors.New("the resource exists; it must be deleted before it can be erased")

// Erasure says whose values are to be erased, and who wants it.
type Erasure struct {
	ID      string
	Actor   string
	Address string
}

// Outcome is what an Erasure did.
type Outcome struct {
	N      int64     // of the note; 0: there is none
	Time   time.Time // of the note
	Rows   int64     // of the change log, whose values were erased now
	Stored bool      // something that could be restored was removed
}
