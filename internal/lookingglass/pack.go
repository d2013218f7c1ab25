package lookingglass

import (
	"encoding/binary"
	"errors"
	"time"
)

// A block is exchanges one after the other as they are stored. Each begins with
// its length, in four bytes, and goes on with its fields in the order of pack:
// numbers as varints, lists with their length before them, texts with twice
// their length. What is said again and again, such as a statement, is there once
// in a block: elsewhere is twice the place where it stands, and one.

// packer writes a block. The zero value is ready.
type packer struct {
	b    []byte
	seen map[string]int // where texts stand
	same []said         // what again was given for the exchange before, in its order
	n    int            // of same, in this exchange
}

// said is a text, and where it stands.
type said struct {
	text string
	at   int
}

// mostAgain is how long a text may be that is looked for in what was said.
const mostAgain = 1 << 10

// mostSame is for how many texts of an exchange the one before is looked at.
const mostSame = 256

func (p *packer) reset() {
	p.b = p.b[:0]
	clear(p.seen)
	clear(p.same)
	p.same = p.same[:0]
}

// add adds an exchange.
func (p *packer) add(x *Exchange) {
	start := len(p.b)
	p.b = append(p.b, 0, 0, 0, 0)
	p.n = 0
	p.head(x)
	p.rest(x)
	binary.LittleEndian.PutUint32(p.b[start:], uint32(len(p.b)-start-4))
}

// head is what a Query asks about.
func (p *packer) head(x *Exchange) {
	p.number(x.Seq)
	p.number(x.Time.UnixMilli())
	p.number(int64(x.Status))
	p.again(x.Client.Kind)
	p.again(x.Op)
	p.again(x.Type)
	p.text(x.Target)
	p.list(len(x.Touched))
	for _, id := range x.Touched {
		if id == x.Target {
			p.again(id)
		} else {
			p.text(id)
		}
	}
	p.again(x.Path)
	p.text(x.Query)
	p.text(x.Name)
	p.again(x.Actor)
	p.flag(x.Fault != nil)
	if f := x.Fault; f != nil {
		p.again(f.ScimType)
		p.again(f.Detail)
		p.again(f.Section)
		p.list(len(f.Advice))
		for _, a := range f.Advice {
			p.again(a.Client)
			p.again(a.Text)
		}
	}
}

func (p *packer) rest(x *Exchange) {
	p.text(x.ID)
	p.again(x.Tenant)
	p.again(x.Client.How)
	p.again(x.Method)
	p.again(x.Base)
	p.again(x.Local)
	p.text(x.Sent)
	for _, n := range [...]int64{x.Micros.Total, x.Micros.Parse, x.Micros.Backend, x.Micros.Encode} {
		p.number(n)
	}
	p.message(&x.Request)
	p.message(&x.Response)
	p.node(x.Filter)
	p.list(len(x.Steps))
	for i := range x.Steps {
		s := &x.Steps[i]
		p.again(s.Kind)
		p.again(s.Text)
		p.number(s.Start)
		p.number(s.Took)
		p.number(s.Rows)
		p.number(int64(s.Times))
		p.again(s.Failed)
	}
	p.list(len(x.Changes))
	for i := range x.Changes {
		c := &x.Changes[i]
		p.again(c.Path)
		p.text(c.Before)
		p.text(c.After)
	}
	p.list(len(x.Rules))
	for _, r := range x.Rules {
		p.again(r.ID)
		p.again(r.What)
	}
	p.flag(x.Lookup != nil)
	if l := x.Lookup; l != nil {
		p.again(l.Attribute)
		p.text(l.Value)
		p.number(int64(l.Found))
	}
}

func (p *packer) message(m *Message) {
	p.list(len(m.Headers))
	for i := range m.Headers {
		p.again(m.Headers[i].Name)
		if v := m.Headers[i].Value; len(v) < 64 {
			p.again(v)
		} else {
			p.text(v)
		}
	}
	p.text(m.Body)
	p.number(m.Size)
	p.flag(m.Cut)
	p.text(m.Hash)
}

func (p *packer) node(n *Node) {
	p.flag(n != nil)
	if n == nil {
		return
	}
	p.text(n.Text)
	p.again(n.Words)
	p.list(len(n.Under))
	for _, u := range n.Under {
		p.node(u)
	}
}

func (p *packer) number(n int64) { p.b = binary.AppendVarint(p.b, n) }

func (p *packer) list(n int) { p.b = binary.AppendUvarint(p.b, uint64(n)) }

func (p *packer) flag(is bool) {
	if is {
		p.b = append(p.b, 1)
		return
	}
	p.b = append(p.b, 0)
}

func (p *packer) text(s string) {
	p.b = binary.AppendUvarint(p.b, uint64(len(s))<<1)
	p.b = append(p.b, s...)
}

// again is text for what is likely to be said again, and then most often at the
// same place of the next exchange.
func (p *packer) again(s string) {
	if len(s) < 3 || len(s) > mostAgain {
		p.text(s)
		return
	}
	i := p.n
	p.n++
	if i < len(p.same) && p.same[i].text == s {
		p.b = binary.AppendUvarint(p.b, uint64(p.same[i].at)<<1|1)
		return
	}
	at, ok := p.seen[s]
	if ok {
		p.b = binary.AppendUvarint(p.b, uint64(at)<<1|1)
	} else {
		if p.seen == nil {
			p.seen = map[string]int{}
		}
		at = len(p.b)
		p.seen[s] = at
		p.text(s)
	}
	switch {
	case i < len(p.same):
		p.same[i] = said{s, at}
	case i < mostSame:
		p.same = append(p.same, said{s, at})
	}
}

var errBlock = errors.New("a block is damaged")

// unpacker reads a block. What it reads are parts of s.
type unpacker struct {
	s   string
	at  int
	bad bool
}

// starts returns where the exchanges of a block begin.
func (u *unpacker) starts() (list []int, err error) {
	for u.at < len(u.s) {
		if len(u.s)-u.at < 4 {
			return nil, errBlock
		}
		n := int(binary.LittleEndian.Uint32([]byte(u.s[u.at : u.at+4])))
		u.at += 4
		if n > len(u.s)-u.at {
			return nil, errBlock
		}
		list = append(list, u.at)
		u.at += n
	}
	return list, nil
}

// head reads what a Query asks about; rest reads what follows.
func (u *unpacker) head(x *Exchange) error {
	x.Seq, x.Time = u.number(), time.UnixMilli(u.number()).UTC()
	x.Status = int(u.number())
	x.Client.Kind, x.Op, x.Type, x.Target = u.text(), u.text(), u.text(), u.text()
	x.Touched = listOf(u, x.Touched[:0], func(id *string) { *id = u.text() })
	x.Path, x.Query, x.Name, x.Actor = u.text(), u.text(), u.text(), u.text()
	x.Fault = nil
	if u.flag() {
		f := &Fault{ScimType: u.text(), Detail: u.text(), Section: u.text()}
		f.Advice = listOf(u, nil, func(a *Advice) { a.Client, a.Text = u.text(), u.text() })
		x.Fault = f
	}
	return u.err()
}

func (u *unpacker) rest(x *Exchange) error {
	x.ID, x.Tenant, x.Client.How, x.Method, x.Base, x.Local, x.Sent = u.text(), u.text(), u.text(), u.text(), u.text(), u.text(), u.text()
	x.Micros = Split{u.number(), u.number(), u.number(), u.number()}
	x.Request, x.Response = u.message(), u.message()
	x.Filter = u.node(0)
	x.Steps = listOf(u, nil, func(s *Step) {
		*s = Step{u.text(), u.text(), u.number(), u.number(), u.number(), int(u.number()), u.text()}
	})
	x.Changes = listOf(u, nil, func(c *Change) { *c = Change{u.text(), u.text(), u.text()} })
	x.Rules = listOf(u, nil, func(r *Rule) { *r = Rule{u.text(), u.text()} })
	if u.flag() {
		x.Lookup = &Lookup{u.text(), u.text(), int(u.number())}
	}
	return u.err()
}

func (u *unpacker) message() (m Message) {
	m.Headers = listOf(u, nil, func(h *Header) { *h = Header{u.text(), u.text()} })
	m.Body, m.Size, m.Cut, m.Hash = u.text(), u.number(), u.flag(), u.text()
	return m
}

func (u *unpacker) node(depth int) *Node {
	if !u.flag() {
		return nil
	}
	if u.bad = u.bad || depth > 1000; u.bad {
		return nil
	}
	n := &Node{Text: u.text(), Words: u.text()}
	n.Under = listOf(u, nil, func(under **Node) { *under = u.node(depth + 1) })
	return n
}

func (u *unpacker) err() error {
	if u.bad {
		return errBlock
	}
	return nil
}

// listOf reads a list into one that may be used again; of none it is nil.
func listOf[T any](u *unpacker, list []T, one func(*T)) []T {
	n := u.count()
	if n == 0 {
		return nil
	}
	if cap(list) < n {
		list = make([]T, 0, n)
	}
	list = list[:n]
	for i := range list {
		if one(&list[i]); u.bad {
			return nil
		}
	}
	return list
}

// count reads the length of a list, each of which takes a byte at least.
func (u *unpacker) count() int {
	n := u.unsigned()
	if u.bad = u.bad || n > uint64(len(u.s)-u.at); u.bad {
		return 0
	}
	return int(n)
}

func (u *unpacker) number() int64 {
	n := u.unsigned()
	if n&1 != 0 {
		return ^int64(n >> 1)
	}
	return int64(n >> 1)
}

func (u *unpacker) flag() bool { return u.unsigned() == 1 }

func (u *unpacker) text() string {
	n := u.unsigned()
	if u.bad {
		return ""
	}
	if n&1 == 0 {
		return u.part(n >> 1)
	}
	here := u.at
	if u.bad = n>>1 >= uint64(here); u.bad { // it was said before
		return ""
	}
	u.at = int(n >> 1)
	n = u.unsigned()
	if u.bad = u.bad || n&1 != 0 || n>>1 > mostAgain; u.bad {
		return ""
	}
	s := u.part(n >> 1)
	u.at = here
	return s
}

func (u *unpacker) part(n uint64) string {
	if u.bad = n > uint64(len(u.s)-u.at); u.bad {
		return ""
	}
	s := u.s[u.at : u.at+int(n)]
	u.at += int(n)
	return s
}

// unsigned reads a varint.
func (u *unpacker) unsigned() (n uint64) {
	for shift := 0; shift < 64 && u.at < len(u.s) && !u.bad; shift += 7 {
		c := u.s[u.at]
		u.at++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	u.bad = true
	return 0
}
