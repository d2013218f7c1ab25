package lookingglass_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// scatter fills v with something everywhere, so that a field that is forgotten
// shows.
func scatter(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		words := []string{"a", "again", "again and again", "", "é\x00\"", "INSERT INTO t VALUES (?)", string(make([]byte, r.IntN(3000)))}
		v.SetString(words[r.IntN(len(words))])
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64() >> r.IntN(64) * int64(1-2*r.IntN(2)))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Pointer:
		if depth < 12 && r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			scatter(r, v.Elem(), depth+1)
		}
	case reflect.Slice:
		if n := r.IntN(4); n > 0 && depth < 12 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				scatter(r, v.Index(i), depth+1)
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMilli(r.Int64N(1 << 42)).UTC()))
			return
		}
		for i := range v.NumField() {
			scatter(r, v.Field(i), depth+1)
		}
	default:
		panic(v.Kind())
	}
}

// A block gives back what went into it, whatever that is.
func TestBlock(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		list := make([]*lookingglass.Exchange, r.IntN(5))
		for i := range list {
			list[i] = new(lookingglass.Exchange)
			scatter(r, reflect.ValueOf(list[i]).Elem(), 0)
			list[i].Instance = "" // stands beside the block
		}
		got, err := lookingglass.UnpackForTests(string(lookingglass.PackForTests(list)))
		if d := cmp.Diff(list, got); err != nil || d != "" && len(list) > 0 {
			t.Fatalf("seed %d: %v %s", seed, err, d)
		}
	}
}

// What is said again and again is there once.
func TestBlockIsShort(t *testing.T) {
	t.Parallel()
	x := &lookingglass.Exchange{Steps: []lookingglass.Step{{Kind: "sql", Text: statements[3]}, {Kind: "sql", Text: statements[4]}}}
	one, ten := len(lookingglass.PackForTests([]*lookingglass.Exchange{x})), len(lookingglass.PackForTests([]*lookingglass.Exchange{x, x, x, x, x, x, x, x, x, x}))
	if ten > 3*one {
		t.Errorf("one takes %d bytes, ten %d", one, ten)
	}
}

// A damaged block is an error, never a panic.
func FuzzBlock(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		x := new(lookingglass.Exchange)
		scatter(r, reflect.ValueOf(x).Elem(), 4)
		f.Add(lookingglass.PackForTests([]*lookingglass.Exchange{x, x}))
	}
	f.Add([]byte{4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, block []byte) {
		list, err := lookingglass.UnpackForTests(string(block))
		if err != nil {
			return
		}
		again, err := lookingglass.UnpackForTests(string(lookingglass.PackForTests(list)))
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Errorf("%v, %+v became %+v", err, list, again)
		}
	})
}
